# SPDX-License-Identifier: Apache-2.0
"""Creating, cloning, extending and deleting volumes and snapshots. All can be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from oslo_log import log as logging

from datera_volume.connection import (
    AbsenceUnproven,
    AlreadyOnCluster,
    AppInstance,
    CertificateRefused,
    DateraError,
    LoginRefused,
    NewAppInstance,
    NotOnCluster,
    RequestInvalid,
    RequestRefused,
    Retriable,
    SourceKind,
    Tenant,
    absence,
)
from datera_volume.operations import naming, offline
from datera_volume.operations.lookup import AllTenants, instance_of, locate, snapshot_of
from datera_volume.operations.rollback import all_or_nothing
from datera_volume.policies import Limits, Policies

LOG = logging.getLogger(__name__)


class Busy(Exception):
    """The cluster refuses to delete this now."""


@dataclass(frozen=True)
class VolumeRequest:
    """A volume to create.

    :param override_size: override a template's size with its own.
    """

    volume_id: str
    size_gib: int
    policies: Policies
    override_size: bool = True


def create(tenant: Tenant, request: VolumeRequest) -> AppInstance:
    """Create an empty volume, with an empty ACL unless its type opens it to all.

    :raises AlreadyOnCluster: its name is taken by something else.
    :raises RequestRefused: its type's template has another size, which cannot be changed.
    """
    policies = request.policies
    if policies.template is not None:
        return _create_from_template(tenant, request, policies.template)
    new = NewAppInstance(
        name=naming.instance_name(request.volume_id),
        uuid=request.volume_id,
        size_gib=request.size_gib,
        replica_count=policies.replica_count,
        placement_mode=policies.placement_mode,
        placement_policy=policies.placement_policy,
        ip_pool=policies.ip_pool(),
        limits=policies.limits.for_size(request.size_gib),
        storage_name=policies.storage_name,
        volume_name=policies.volume_name,
        open_to_all=policies.open_to_all,
    )
    with _rolled_back_on_failure(tenant, new) as undo:
        return _created(tenant, new, undo)


def copy_volume(tenant: Tenant, request: VolumeRequest, source_id: str) -> AppInstance:
    """Clone a volume, with the clone's own policies and size.

    :raises NotOnCluster: the source does not exist.
    """
    source = instance_of(tenant, source_id).volume
    return _copy(tenant, request, source.path, "volume")


def copy_snapshot(
    tenant: Tenant, request: VolumeRequest, source_id: str, snapshot_id: str
) -> AppInstance:
    """Create a volume from a snapshot, with its own policies and size.

    :raises NotOnCluster: the snapshot or its volume does not exist.
    """
    source = instance_of(tenant, source_id).volume
    snapshot = snapshot_of(tenant, source, snapshot_id)
    return _copy(tenant, request, snapshot.path, "snapshot")


def delete(tenant: Tenant, volume_id: str, all_tenants: AllTenants) -> None:
    """Delete a volume; no error if it is proven to be gone.

    :param all_tenants: as for :func:`datera_volume.operations.lookup.locate`.
    :raises Busy: the cluster refuses to delete it now.
    :raises AbsenceUnproven: it is not found, but may still exist.
    """
    where = locate(tenant, volume_id, all_tenants)
    if where is None:
        LOG.warning("Nothing to delete: volume %s is not in %s", volume_id, tenant.path)
    else:
        remove(*where)


def remove(tenant: Tenant, ai: AppInstance) -> None:
    """Delete an app instance; no error if it is proven to be gone meanwhile.

    :raises Busy: the cluster refuses to delete it now.
    :raises AbsenceUnproven: it is not found, but listed, or the listing fails.
    """
    try:
        tenant.delete_app_instance(ai)
    except NotOnCluster as exc:
        if absence.listed(tenant, lambda one: one.id == ai.id):
            _leave_as_it_was(tenant, ai)
            raise AbsenceUnproven(f"{ai.name} is listed in {tenant.path}: {exc}") from exc
        LOG.warning("Nothing to delete: %s", exc)
    except (AlreadyOnCluster, RequestRefused) as exc:
        raise _busy(exc) from exc


def _leave_as_it_was(tenant: Tenant, ai: AppInstance) -> None:
    """Restore its admin state after a failed deletion, which is the failure to raise."""
    try:
        offline.set_online_again(tenant, ai)
    except DateraError as exc:
        LOG.warning("App instance %s may stay offline: %s", ai.name, exc)


def extend(tenant: Tenant, volume_id: str, size_gib: int, limits: Limits | None) -> None:
    """Extend a volume, unless it is large enough already; a failure is rolled back.

    :param limits: the type's limits, applied if they follow the size; None: left unchanged.
    :raises NotOnCluster: it does not exist.
    :raises RequestRefused: the cluster does not allow it, or not while it is attached.
    """
    ai = instance_of(tenant, volume_id)
    volume = ai.volume
    with all_or_nothing(tenant, ai) as undo:
        if limits is not None and limits.follow_size:
            undo(lambda asking: asking.set_limits(volume, volume.limits))
            tenant.set_limits(volume, limits.for_size(size_gib))
        # Last: it cannot be undone.
        if volume.size_gib < size_gib:
            offline.change(tenant, ai, lambda: tenant.resize_volume(volume, size_gib))


def take_snapshot(tenant: Tenant, volume_id: str, snapshot_id: str) -> None:
    """Create a snapshot with Cinder's id as its uuid, or find it.

    :raises NotOnCluster: the volume does not exist.
    """
    tenant.snapshot(instance_of(tenant, volume_id).volume, snapshot_id)


def delete_snapshot(
    tenant: Tenant, volume_id: str, snapshot_id: str, all_tenants: AllTenants
) -> None:
    """Delete a snapshot; no error if it or its volume is proven to be gone.

    :param all_tenants: as for :func:`datera_volume.operations.lookup.locate`.
    :raises Busy: the cluster will not delete it now.
    :raises AbsenceUnproven: it is not found, and may be there none the less.
    """
    where = locate(tenant, volume_id, all_tenants)
    if where is None:
        LOG.warning("Nothing to delete of snapshot %s: its volume is gone", snapshot_id)
        return
    tenant, volume = where[0], where[1].volume
    try:
        tenant.delete_snapshot(volume, snapshot_id)
    except NotOnCluster as exc:
        if absence.proven(
            lambda: tenant.snapshots(volume),
            lambda one: one.is_called(snapshot_id),
            f"Unknown whether snapshot {snapshot_id} is gone",
        ):
            raise AbsenceUnproven(f"Snapshot {snapshot_id} is listed: {exc}") from exc
        LOG.warning("Nothing to delete of snapshot %s: %s", snapshot_id, exc)
    except (AlreadyOnCluster, RequestRefused) as exc:
        raise _busy(exc) from exc


def _create_from_template(tenant: Tenant, request: VolumeRequest, template: str) -> AppInstance:
    """Create a volume from a template, with Cinder's size and the type's limits.

    The cluster does not accept a uuid with a template: the description identifies the volume.
    """
    policies = request.policies
    new = NewAppInstance(
        name=naming.instance_name(request.volume_id),
        descr=naming.description(request.volume_id),
        size_gib=request.size_gib,
        storage_name=policies.storage_name,
        volume_name=policies.volume_name,
        open_to_all=policies.open_to_all,
        template=template,
        override_size=request.override_size,
    )
    with _rolled_back_on_failure(tenant, new) as undo:
        ai = _created(tenant, new, undo)
        volume, storage = ai.volume, ai.storage_instance
        if storage.open_to_all and not policies.open_to_all:
            tenant.close_to_all(storage)
        if volume.size_gib < request.size_gib:
            offline.change(tenant, ai, lambda: tenant.resize_volume(volume, request.size_gib))
        elif volume.size_gib > request.size_gib:
            raise RequestRefused(
                f"The template {template} has a size of {volume.size_gib} GiB, which this product "
                f"cannot override with {request.size_gib} GiB"
            )
        if policies.limits.any:
            tenant.set_limits(volume, policies.limits.for_size(request.size_gib))
    return ai


def _copy(
    tenant: Tenant, request: VolumeRequest, source_path: str, kind: SourceKind
) -> AppInstance:
    new = NewAppInstance(
        name=naming.instance_name(request.volume_id),
        uuid=request.volume_id,
        size_gib=request.size_gib,
        source_path=source_path,
        source_kind=kind,
        open_to_all=request.policies.open_to_all,
    )
    with _rolled_back_on_failure(tenant, new) as undo:
        ai = _created(tenant, new, undo)
        _apply_own_type(tenant, ai, request)
    return ai


def _apply_own_type(tenant: Tenant, ai: AppInstance, request: VolumeRequest) -> None:
    """Apply a clone's own type and size instead of the source's."""
    volume, storage, policies = ai.volume, ai.storage_instance, request.policies
    for initiator in storage.initiators:
        tenant.deny_initiator(storage, initiator)
    if storage.open_to_all and not policies.open_to_all:
        tenant.close_to_all(storage)
    if volume.size_gib < request.size_gib:
        offline.change(tenant, ai, lambda: tenant.resize_volume(volume, request.size_gib))
    tenant.set_limits(volume, policies.limits.for_size(request.size_gib))
    if policies.template is not None:
        # The source has the same template, or its type: the rest is kept.
        return
    if (volume.replica_count or 0) < policies.replica_count:
        offline.change(tenant, ai, lambda: tenant.set_replica_count(volume, policies.replica_count))
    elif (volume.replica_count or 0) > policies.replica_count:
        LOG.info(
            "Volume %s keeps the %s replicas of its source: their number can only be increased.",
            request.volume_id,
            volume.replica_count,
        )
    if policies.placement_policy or policies.placement_mode not in (None, volume.placement_mode):
        tenant.set_placement(volume, policies.placement_mode, policies.placement_policy)
    if storage.pool not in policies.ip_pools:
        with offline.taken_offline(tenant, ai):
            tenant.set_ip_pool(storage, policies.ip_pool())


@dataclass
class _Undo:
    """Whether to roll back on failure: only what this call has created."""

    armed: bool = True


def _created(tenant: Tenant, new: NewAppInstance, undo: _Undo) -> AppInstance:
    """Create it, or find it created by an earlier attempt.

    :raises AlreadyOnCluster: its name is taken by something else.
    """
    try:
        return tenant.create_app_instance(new)
    except AlreadyOnCluster:
        undo.armed = False
        ai = tenant.app_instance(new.name)
        if not _is_ours(ai, new):
            raise
        LOG.info("App instance %s exists from an earlier attempt", new.name)
        return ai


@contextmanager
def _rolled_back_on_failure(tenant: Tenant, new: NewAppInstance) -> Iterator[_Undo]:
    """Roll back a partially created app instance, recognised by its name and its uuid."""
    undo = _Undo()
    try:
        yield undo
    except (LoginRefused, CertificateRefused):
        # The cluster cannot be accessed: a further request would fail, too.
        raise
    except Exception as exc:
        if undo.armed:
            # The busy timeout is exhausted already.
            _roll_back(tenant.at_once() if isinstance(exc, Retriable) else tenant, new)
        raise


def _is_ours(ai: AppInstance, new: NewAppInstance) -> bool:
    return ai.uuid == new.uuid if new.uuid is not None else ai.descr == new.descr


def _roll_back(tenant: Tenant, new: NewAppInstance) -> None:
    try:
        ai = tenant.app_instance(new.name)
        if _is_ours(ai, new):
            tenant.delete_app_instance(ai)
            LOG.info("Rolled back the partially created app instance %s", new.name)
    except NotOnCluster:
        return
    except DateraError as exc:
        LOG.warning("The partially created app instance %s may be left behind: %s", new.name, exc)


def _busy(exc: DateraError) -> Exception:
    # An invalid value is a bug, not a temporary state.
    return exc if isinstance(exc, RequestInvalid) else Busy(str(exc))
