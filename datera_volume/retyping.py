# SPDX-License-Identifier: Apache-2.0
"""Giving a volume another type where it lies: wholly, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oslo_log import log as logging

from datera_volume import switching
from datera_volume.connection import (
    AppInstance,
    RequestInvalid,
    RequestRefused,
    Tenant,
    Volume,
)
from datera_volume.lookup import instance_of
from datera_volume.policies import (
    DEFAULT_PLACEMENT_MODE,
    DEFAULT_PLACEMENT_POLICY,
    LIMITS,
    PER_GB,
    Policies,
)
from datera_volume.undoing import Undo, all_or_nothing

LOG = logging.getLogger(__name__)


def retype(
    tenant: Tenant, volume_id: str, size_gib: int, new: Policies, old: Mapping[str, str]
) -> bool:
    """Make a volume what its new type asks for; return whether that was possible.

    Where it was not, the volume is as it was, and Cinder may make another one of the new type.

    :param old: what the type says that it has; nothing of it need be readable.
    :raises NotOnCluster: the volume does not exist.
    """
    ai = instance_of(tenant, volume_id)
    obstacle = _obstacle(ai, new, old)
    if obstacle:
        LOG.info("Volume %s cannot be retyped where it lies: %s.", volume_id, obstacle)
        return False
    try:
        _change(tenant, ai, size_gib, new, old)
    except RequestInvalid:
        raise
    except RequestRefused as exc:
        LOG.info("Volume %s cannot be retyped where it lies: %s", volume_id, exc)
        return False
    return True


def _obstacle(ai: AppInstance, new: Policies, old: Mapping[str, str]) -> str | None:
    storage, volume = ai.storage_instance, ai.volume
    template = old.get("template") or None
    if new.template != template:
        return f"its template would change from {template} to {new.template}"
    if new.open_to_all != storage.open_to_all:
        return "who may log in is decided when a volume is made"
    if new.template is not None:
        return None
    if (volume.replica_count or 0) > new.replica_count:
        return f"it has {volume.replica_count} replicas, and their number only grows"
    if _leaves_pool(ai, new) and not switching.nobody_is_let_in(ai):
        return "its IP pool changes only while nobody is attached"
    return None


def _change(
    tenant: Tenant, ai: AppInstance, size_gib: int, new: Policies, old: Mapping[str, str]
) -> None:
    """Make all changes, the one that cannot be undone last; undo the others if one fails."""
    volume = ai.volume
    with all_or_nothing(ai) as undo:
        if (
            new.template is None
            or new.limits.any
            or any(name in old for name in (*LIMITS, *PER_GB))
        ):
            undo(lambda: tenant.set_limits(volume, volume.limits))
            tenant.set_limits(volume, new.limits.for_size(size_gib))
        if new.template is None:
            _place(tenant, volume, new, old, undo)
            if _leaves_pool(ai, new):
                undo(lambda: _put_back_into_pool(tenant, ai))
                with switching.switched_off(tenant, ai):
                    tenant.set_ip_pool(ai.storage_instance, new.ip_pool())
            if (volume.replica_count or 0) < new.replica_count:
                switching.change(
                    tenant, ai, lambda: tenant.set_replica_count(volume, new.replica_count)
                )


def _place(
    tenant: Tenant,
    volume: Volume,
    new: Policies,
    old: Mapping[str, str],
    undo: Callable[[Undo], None],
) -> None:
    """Move it where its type says; where no type says anything, it stays where it lies."""
    policy, mode = new.placement_policy, new.placement_mode
    if policy is None and old.get("placement_policy"):
        policy = DEFAULT_PLACEMENT_POLICY
    if mode is None and old.get("placement_mode"):
        mode = DEFAULT_PLACEMENT_MODE
    if policy is not None and tenant.dialect.placement_policies:
        was = volume.placement_policy or DEFAULT_PLACEMENT_POLICY
        if _last(was) != _last(policy):
            undo(lambda: tenant.set_placement(volume, None, was))
            tenant.set_placement(volume, None, policy)
    elif mode is not None and mode != volume.placement_mode:
        undo(lambda: tenant.set_placement(volume, volume.placement_mode, None))
        tenant.set_placement(volume, mode, None)


def _leaves_pool(ai: AppInstance, new: Policies) -> bool:
    pool = _last(ai.storage_instance.ip_pool or "")
    return bool(pool) and pool not in new.ip_pools


def _put_back_into_pool(tenant: Tenant, ai: AppInstance) -> None:
    with switching.switched_off(tenant, ai):
        tenant.set_ip_pool(ai.storage_instance, _last(ai.storage_instance.ip_pool))
    if ai.online:
        tenant.set_online(ai)


def _last(path: str | None) -> str:
    return (path or "").rsplit("/", 1)[-1]
