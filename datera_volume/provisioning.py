# SPDX-License-Identifier: Apache-2.0
"""Making, copying, growing and deleting volumes and snapshots. Each may be repeated by Cinder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from oslo_log import log as logging

from datera_volume import naming, switching
from datera_volume.connection import (
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
    Tenant,
)
from datera_volume.connection.model import SourceKind
from datera_volume.lookup import instance_of, snapshot_of
from datera_volume.policies import Limits, Policies
from datera_volume.undoing import all_or_nothing

LOG = logging.getLogger(__name__)


class Busy(Exception):
    """The cluster will not delete this now."""


@dataclass(frozen=True)
class Wanted:
    """A volume as Cinder wants it.

    :param override_size: ask for its own size where it is made from a template.
    """

    volume_id: str
    size_gib: int
    policies: Policies
    override_size: bool = True


def create(tenant: Tenant, wanted: Wanted) -> AppInstance:
    """Make an empty volume, closed to every initiator unless its type opens it to all.

    :raises AlreadyOnCluster: its name is taken by something else.
    :raises RequestRefused: it would not get its size from its type's template.
    """
    policies = wanted.policies
    if policies.template is not None:
        return _from_template(tenant, wanted, policies.template)
    new = NewAppInstance(
        name=naming.instance_name(wanted.volume_id),
        uuid=wanted.volume_id,
        size_gib=wanted.size_gib,
        replica_count=policies.replica_count,
        placement_mode=policies.placement_mode,
        placement_policy=policies.placement_policy,
        ip_pool=policies.ip_pool(),
        limits=policies.limits.for_size(wanted.size_gib),
        storage_name=policies.storage_name,
        volume_name=policies.volume_name,
        open_to_all=policies.open_to_all,
    )
    with _taken_back_on_failure(tenant, new) as undo:
        return _made(tenant, new, undo)


def copy_volume(tenant: Tenant, wanted: Wanted, source_id: str) -> AppInstance:
    """Make a volume with the contents of another, and with its own type's policies and size.

    :raises NotOnCluster: the source does not exist.
    """
    source = instance_of(tenant, source_id).volume
    return _copy(tenant, wanted, source.path, "volume")


def copy_snapshot(tenant: Tenant, wanted: Wanted, source_id: str, snapshot_id: str) -> AppInstance:
    """Make a volume with the contents of a snapshot, and with its own type's policies and size.

    :raises NotOnCluster: the snapshot or its volume does not exist.
    """
    source = instance_of(tenant, source_id).volume
    snapshot = snapshot_of(tenant, source, snapshot_id)
    return _copy(tenant, wanted, snapshot.path, "snapshot")


def delete(tenant: Tenant, volume_id: str) -> None:
    """Delete a volume; one that is gone is deleted.

    :raises Busy: the cluster will not delete it now.
    """
    try:
        remove(tenant, instance_of(tenant, volume_id))
    except NotOnCluster as exc:
        LOG.warning("Nothing to delete: %s", exc)


def remove(tenant: Tenant, ai: AppInstance) -> None:
    """Delete an app instance; one that is gone meanwhile is deleted.

    :raises Busy: the cluster will not delete it now.
    """
    try:
        tenant.delete_app_instance(ai)
    except NotOnCluster as exc:
        LOG.warning("Nothing to delete: %s", exc)
    except (AlreadyOnCluster, RequestRefused) as exc:
        raise _busy(exc) from exc


def extend(tenant: Tenant, volume_id: str, size_gib: int, limits: Limits | None) -> None:
    """Grow a volume; one that is that large already is left alone. If that fails it is as it was.

    :param limits: those of its type, in case they follow the size; None leaves what is set.
    :raises NotOnCluster: it does not exist.
    :raises RequestRefused: the cluster does not allow it, or not while it is attached.
    """
    ai = instance_of(tenant, volume_id)
    volume = ai.volume
    with all_or_nothing(ai) as undo:
        if limits is not None and limits.follow_size:
            undo(lambda: tenant.set_limits(volume, volume.limits))
            tenant.set_limits(volume, limits.for_size(size_gib))
        # Last, for there is no way back from it.
        if volume.size_gib < size_gib:
            switching.change(tenant, ai, lambda: tenant.resize_volume(volume, size_gib))


def take_snapshot(tenant: Tenant, volume_id: str, snapshot_id: str) -> None:
    """Take a snapshot under Cinder's id, or find it taken.

    :raises NotOnCluster: the volume does not exist.
    """
    tenant.snapshot(instance_of(tenant, volume_id).volume, snapshot_id)


def delete_snapshot(tenant: Tenant, volume_id: str, snapshot_id: str) -> None:
    """Delete a snapshot; one that is gone, or whose volume is, is deleted.

    :raises Busy: the cluster will not delete it now.
    """
    try:
        tenant.delete_snapshot(instance_of(tenant, volume_id).volume, snapshot_id)
    except NotOnCluster as exc:
        LOG.warning("Nothing to delete of snapshot %s: %s", snapshot_id, exc)
    except (AlreadyOnCluster, RequestRefused) as exc:
        raise _busy(exc) from exc


def _from_template(tenant: Tenant, wanted: Wanted, template: str) -> AppInstance:
    """Make a volume as the template says, of the size that Cinder says, and with its type's limits.

    The cluster gives no uuid of ours to what it makes from a template: the description tells it.
    """
    policies = wanted.policies
    new = NewAppInstance(
        name=naming.instance_name(wanted.volume_id),
        descr=naming.description(wanted.volume_id),
        size_gib=wanted.size_gib,
        storage_name=policies.storage_name,
        volume_name=policies.volume_name,
        open_to_all=policies.open_to_all,
        template=template,
        override_size=wanted.override_size,
    )
    with _taken_back_on_failure(tenant, new) as undo:
        ai = _made(tenant, new, undo)
        volume, storage = ai.volume, ai.storage_instance
        if storage.open_to_all and not policies.open_to_all:
            tenant.close_to_all(storage)
        if volume.size_gib < wanted.size_gib:
            switching.change(tenant, ai, lambda: tenant.resize_volume(volume, wanted.size_gib))
        elif volume.size_gib > wanted.size_gib:
            raise RequestRefused(
                f"The template {template} makes volumes of {volume.size_gib} GiB, and this product "
                f"none of {wanted.size_gib} GiB from it"
            )
        if policies.limits.any:
            tenant.set_limits(volume, policies.limits.for_size(wanted.size_gib))
    return ai


def _copy(tenant: Tenant, wanted: Wanted, source_path: str, kind: SourceKind) -> AppInstance:
    new = NewAppInstance(
        name=naming.instance_name(wanted.volume_id),
        uuid=wanted.volume_id,
        size_gib=wanted.size_gib,
        source_path=source_path,
        source_kind=kind,
        open_to_all=wanted.policies.open_to_all,
    )
    with _taken_back_on_failure(tenant, new) as undo:
        ai = _made(tenant, new, undo)
        _make_own(tenant, ai, wanted)
    return ai


def _make_own(tenant: Tenant, ai: AppInstance, wanted: Wanted) -> None:
    """Give a copy what its own type and size ask for instead of what the source had."""
    volume, storage, policies = ai.volume, ai.storage_instance, wanted.policies
    for initiator in storage.initiators:
        tenant.deny_initiator(storage, initiator)
    if storage.open_to_all and not policies.open_to_all:
        tenant.close_to_all(storage)
    if volume.size_gib < wanted.size_gib:
        switching.change(tenant, ai, lambda: tenant.resize_volume(volume, wanted.size_gib))
    tenant.set_limits(volume, policies.limits.for_size(wanted.size_gib))
    if policies.template is not None:
        # The source has been made from it, or has the type that says so: it keeps the rest.
        return
    if (volume.replica_count or 0) < policies.replica_count:
        switching.change(
            tenant, ai, lambda: tenant.set_replica_count(volume, policies.replica_count)
        )
    elif (volume.replica_count or 0) > policies.replica_count:
        LOG.info(
            "Volume %s keeps the %s replicas of its source: their number can only grow.",
            wanted.volume_id,
            volume.replica_count,
        )
    if policies.placement_policy or policies.placement_mode not in (None, volume.placement_mode):
        tenant.set_placement(volume, policies.placement_mode, policies.placement_policy)
    pool = (storage.ip_pool or "").rsplit("/", 1)[-1]
    if pool and pool not in policies.ip_pools:
        with switching.switched_off(tenant, ai):
            tenant.set_ip_pool(storage, policies.ip_pool())


@dataclass
class _Undo:
    """Whether a failure is to take the volume back: only what this very call has made."""

    armed: bool = True


def _made(tenant: Tenant, new: NewAppInstance, undo: _Undo) -> AppInstance:
    """Make it, or find it made by an earlier attempt of Cinder's at the same volume.

    :raises AlreadyOnCluster: its name is taken by something else.
    """
    try:
        return tenant.create_app_instance(new)
    except AlreadyOnCluster:
        undo.armed = False
        ai = tenant.app_instance(new.name)
        if not _is(ai, new):
            raise
        LOG.info("App instance %s is there from an earlier attempt", new.name)
        return ai


@contextmanager
def _taken_back_on_failure(tenant: Tenant, new: NewAppInstance) -> Iterator[_Undo]:
    """Take back what was half made, recognised by its name and its uuid."""
    undo = _Undo()
    try:
        yield undo
    except (LoginRefused, CertificateRefused):
        # There is no way to the cluster, and no use in asking for one.
        raise
    except Exception as exc:
        if undo.armed:
            # The operator's patience has been spent on what failed.
            _take_back(tenant.at_once() if isinstance(exc, Retriable) else tenant, new)
        raise


def _is(ai: AppInstance, new: NewAppInstance) -> bool:
    return ai.uuid == new.uuid if new.uuid is not None else ai.descr == new.descr


def _take_back(tenant: Tenant, new: NewAppInstance) -> None:
    try:
        ai = tenant.app_instance(new.name)
        if _is(ai, new):
            tenant.delete_app_instance(ai)
            LOG.info("Took the half made app instance %s back", new.name)
    except NotOnCluster:
        return
    except DateraError as exc:
        LOG.warning("The half made app instance %s may be left behind: %s", new.name, exc)


def _busy(exc: DateraError) -> Exception:
    # A value that the cluster cannot read is a bug here, and no state that will pass.
    return exc if isinstance(exc, RequestInvalid) else Busy(str(exc))
