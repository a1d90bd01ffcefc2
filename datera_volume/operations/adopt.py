# SPDX-License-Identifier: Apache-2.0
"""Turning an existing app instance into a Cinder volume: completely, or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext

from datera_volume.connection import (
    AlreadyOnCluster,
    AppInstance,
    NotOnCluster,
    RequestRefused,
    Tenant,
    last_segment,
)
from datera_volume.operations import naming, offline
from datera_volume.operations.manageable import whole_gib
from datera_volume.operations.retype import add_replicas, change_undoably, obstacle_to
from datera_volume.operations.rollback import all_or_nothing
from datera_volume.policies import Policies


class TypeMismatch(Exception):
    """The type cannot be applied to an existing volume; the message says why."""


def adopt(
    tenant: Tenant, ai: AppInstance, volume_id: str, new: Policies, said: Mapping[str, str]
) -> AppInstance:
    """Rename it to a volume, apply the type, and round its size up to whole GiB.

    What cannot be undone comes last: size and replica count, which can only be increased, and then
    the restriction to the ACL. If one of these fails, those before it remain; everything else is
    rolled back.

    :param said: the specs that the type or the backend's section sets. Replicas, placement and
        pool are left unchanged where neither sets them.
    :raises TypeMismatch: the type cannot be applied; nothing was changed.
    """
    new = _without_defaults(new, said, ai)
    reason = _mismatch(ai, new)
    if reason:
        raise TypeMismatch(f"app instance {ai.name}: {reason}")
    size = whole_gib(ai.volume)
    closing = ai.storage_instance.open_to_all and not new.open_to_all
    with all_or_nothing(tenant, ai) as undo:
        undo(lambda asking: offline.set_online_again(asking, ai))
        with _closed(tenant, ai) if closing else nullcontext(ai) as now:
            with _mismatch_where_refused(ai):
                change_undoably(tenant, now, size, new, {}, undo=undo)
            undo(lambda asking: _named_as_before(asking, ai))
            managed = tenant.rename(now, naming.instance_name(volume_id))
            if ai.volume.exact_gib != size:
                offline.change(tenant, now, lambda: tenant.resize_volume(ai.volume, size))
            with _mismatch_where_refused(ai):
                add_replicas(tenant, now, new)
            if closing:
                tenant.close_to_all(ai.storage_instance)
    return managed


def _without_defaults(new: Policies, said: Mapping[str, str], ai: AppInstance) -> Policies:
    """Return the policies without those that only the driver's own defaults set."""
    if not said.get("replica_count"):
        new = dataclasses.replace(new, replica_count=ai.volume.replica_count or 0)
    if not said.get("ip_pool"):
        new = dataclasses.replace(new, ip_pools=(ai.storage_instance.pool,))
    return new


def _mismatch(ai: AppInstance, new: Policies) -> str | None:
    storage = ai.storage_instance
    if new.open_to_all and not storage.open_to_all:
        return "the type sets acl_allow_all, and a restricted volume cannot be opened to all hosts"
    if storage.open_to_all and not new.open_to_all and storage.logged_in:
        hosts = ", ".join(storage.logged_in)
        return f"it is open to all hosts, which its type does not allow: {hosts} are logged in"
    return obstacle_to(ai, new, last_segment(ai.template) or None)


def _named_as_before(tenant: Tenant, ai: AppInstance) -> None:
    tenant.rename(ai, ai.name)


@contextmanager
def _closed(tenant: Tenant, ai: AppInstance) -> Iterator[AppInstance]:
    """Take a volume that is open to all offline while the block restricts it."""
    with ExitStack() as stack:
        with _mismatch_where_refused(ai):
            now = stack.enter_context(offline.taken_offline(tenant, ai, closing=True))
        yield now


@contextmanager
def _mismatch_where_refused(ai: AppInstance) -> Iterator[None]:
    """Report what the cluster refuses, or does not have, as a type mismatch."""
    try:
        yield
    except (RequestRefused, NotOnCluster, AlreadyOnCluster) as exc:
        raise TypeMismatch(f"app instance {ai.name}: {exc}") from exc
