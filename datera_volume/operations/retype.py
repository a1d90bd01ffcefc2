# SPDX-License-Identifier: Apache-2.0
"""Retyping a volume in place: completely, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oslo_log import log as logging

from datera_volume.connection import (
    AppInstance,
    RequestInvalid,
    RequestRefused,
    Tenant,
    Volume,
    last_segment,
)
from datera_volume.operations import offline
from datera_volume.operations.lookup import instance_of
from datera_volume.operations.rollback import Undo, all_or_nothing
from datera_volume.policies import (
    DEFAULT_PLACEMENT_MODE,
    DEFAULT_PLACEMENT_POLICY,
    LIMITS,
    PER_GB,
    Policies,
)

LOG = logging.getLogger(__name__)


def retype(
    tenant: Tenant, volume_id: str, size_gib: int, new: Policies, old: Mapping[str, str]
) -> bool:
    """Apply a new type to a volume; return whether that was possible.

    Where it was not, the volume is unchanged, and Cinder may migrate it instead.

    :param old: the specs of its current type, which need not be valid.
    :raises NotOnCluster: the volume does not exist.
    """
    ai = instance_of(tenant, volume_id)
    obstacle = obstacle_to(ai, new, old.get("template") or None)
    if obstacle is None and new.open_to_all != ai.storage_instance.open_to_all:
        obstacle = "acl_allow_all can only be set when a volume is created"
    if obstacle:
        LOG.info("Volume %s cannot be retyped in place: %s.", volume_id, obstacle)
        return False
    try:
        with all_or_nothing(tenant, ai) as undo:
            undo(lambda asking: offline.set_online_again(asking, ai))
            change_undoably(tenant, ai, size_gib, new, old, undo=undo)
            add_replicas(tenant, ai, new)
    except RequestInvalid:
        raise
    except RequestRefused as exc:
        LOG.info("Volume %s cannot be retyped in place: %s", volume_id, exc)
        return False
    return True


def obstacle_to(ai: AppInstance, new: Policies, template: str | None) -> str | None:
    """Return why a type can never be applied to a volume; None where it can.

    :param template: name of the template that the volume was created from.
    """
    if new.template != template:
        return f"its template would change from {template} to {new.template}"
    if new.template is not None:
        return None
    replicas = ai.volume.replica_count or 0
    if replicas > new.replica_count:
        return (
            f"it has {replicas} replicas, and their number cannot be reduced to {new.replica_count}"
        )
    if _leaves_pool(ai, new) and ai.has_initiators:
        return "its IP pool can only be changed while it is not attached"
    return None


def change_undoably(
    tenant: Tenant,
    ai: AppInstance,
    size_gib: int,
    new: Policies,
    old: Mapping[str, str],
    *,
    undo: Callable[[Undo], None],
) -> None:
    """Apply the limits, the placement and the pool of a type, and register how to undo them.

    Changing the pool leaves it offline; setting it online again is not registered.
    """
    volume = ai.volume
    if new.template is None or new.limits.any or any(name in old for name in (*LIMITS, *PER_GB)):
        undo(lambda asking: asking.set_limits(volume, volume.limits))
        tenant.set_limits(volume, new.limits.for_size(size_gib))
    if new.template is None:
        _place(tenant, volume, new, old, undo)
        if _leaves_pool(ai, new):
            with offline.taken_offline(tenant, ai):
                undo(lambda asking: _put_back_into_pool(asking, ai))
                tenant.set_ip_pool(ai.storage_instance, new.ip_pool())


def add_replicas(tenant: Tenant, ai: AppInstance, new: Policies) -> None:
    """Increase the replica count to that of the type; this cannot be undone."""
    if new.template is None and (ai.volume.replica_count or 0) < new.replica_count:
        offline.change(tenant, ai, lambda: tenant.set_replica_count(ai.volume, new.replica_count))


def _place(
    tenant: Tenant,
    volume: Volume,
    new: Policies,
    old: Mapping[str, str],
    undo: Callable[[Undo], None],
) -> None:
    """Set the placement of its type; unchanged where neither type sets one."""
    policy, mode = new.placement_policy, new.placement_mode
    if policy is None and old.get("placement_policy"):
        policy = DEFAULT_PLACEMENT_POLICY
    if mode is None and old.get("placement_mode"):
        mode = DEFAULT_PLACEMENT_MODE
    if policy is not None and tenant.dialect.placement_policies:
        was = volume.placement_policy or DEFAULT_PLACEMENT_POLICY
        # Where the response did not say which it is, it is set.
        if volume.placement_policy is None or last_segment(was) != last_segment(policy):
            undo(lambda asking: asking.set_placement(volume, None, was))
            tenant.set_placement(volume, None, policy)
    elif mode is not None and mode != volume.placement_mode:
        undo(lambda asking: asking.set_placement(volume, volume.placement_mode, None))
        tenant.set_placement(volume, mode, None)


def _leaves_pool(ai: AppInstance, new: Policies) -> bool:
    return ai.storage_instance.pool not in new.ip_pools


def _put_back_into_pool(tenant: Tenant, ai: AppInstance) -> None:
    now = tenant.app_instance(ai.id)
    pool = ai.storage_instance.pool
    # Where the response does not say, it is set: what is undone need not fail for that.
    if last_segment(now.storage_instance.ip_pool) != pool:
        with offline.taken_offline(tenant, now):
            tenant.set_ip_pool(ai.storage_instance, pool)
