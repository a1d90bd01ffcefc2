# SPDX-License-Identifier: Apache-2.0
"""Exact lookup of a volume's app instance and its snapshots."""

from __future__ import annotations

from collections.abc import Callable

from oslo_log import log as logging

from datera_volume.connection import (
    AbsenceUnproven,
    AppInstance,
    NotOnCluster,
    Snapshot,
    Tenant,
    TenantMissing,
    UnexpectedAnswer,
    VolumeRef,
    absence,
)
from datera_volume.operations import naming

LOG = logging.getLogger(__name__)

AllTenants = Callable[[], "list[Tenant] | None"]
"""Returns all tenants of the cluster, for a volume whose tenant is not recorded; None where it is
recorded, or where this user may not list tenants."""


class VolumeMissing(NotOnCluster):
    """The volume does not exist; the message names it and the tenant."""


class SnapshotMissing(NotOnCluster):
    """The volume exists, but not the snapshot."""


def instance_of(tenant: Tenant, volume_id: str) -> AppInstance:
    """Return the app instance of a volume, by this driver's name or the in-tree driver's.

    :raises VolumeMissing: there is none.
    :raises UnexpectedAnswer: there is more than one.
    """
    try:
        return tenant.app_instance(naming.instance_name(volume_id))
    except NotOnCluster:
        pass
    found = [
        ai
        for ai in tenant.app_instances(naming.instance_pattern(volume_id))
        if naming.is_instance_name(ai.name, volume_id)
    ]
    if not found:
        raise VolumeMissing(f"Volume {volume_id} does not exist in the tenant {tenant.path}")
    return _the_only(found, volume_id)


def locate(
    tenant: Tenant, volume_id: str, all_tenants: AllTenants
) -> tuple[Tenant, AppInstance] | None:
    """Return a volume's app instance and its tenant; None if it is proven to be gone.

    :param tenant: where it was created, or else the configured one.
    :param all_tenants: called only if it is not found there.
    :raises AbsenceUnproven: it is not found, but may still exist.
    :raises UnexpectedAnswer: there is more than one.
    """
    try:
        return tenant, instance_of(tenant, volume_id)
    except NotOnCluster as exc:
        LOG.debug("Checking whether volume %s is gone: %s", volume_id, exc)
    tenants = all_tenants()
    for other in tenants or ():
        if other.path == tenant.path:
            continue
        if elsewhere := _listed(other, volume_id):
            LOG.warning("Volume %s is in %s, not in %s", volume_id, other.path, tenant.path)
            return other, _the_only(elsewhere, volume_id)
    seen = None if tenants is None else {other.path for other in tenants}
    if seen is not None and tenant.path not in seen and tenant.exists() is False:
        # Its tenant is not recorded, and it is in none of the existing ones.
        return None
    listed = _listed(tenant, volume_id)
    if not listed:
        return None
    LOG.warning("Volume %s is listed in %s, although its lookup failed", volume_id, tenant.path)
    return tenant, _the_only(listed, volume_id)


def _listed(tenant: Tenant, volume_id: str) -> list[AppInstance]:
    """Return a tenant's app instances of a volume; an empty list proves that there are none."""
    try:
        return absence.listed(tenant, lambda ai: naming.is_instance_name(ai.name, volume_id))
    except TenantMissing as exc:
        raise TenantMissing(
            f"Unknown whether volume {volume_id} is gone: {exc}, where it was created. Check "
            f"san_ip, and that the tenant was not renamed"
        ) from exc
    except AbsenceUnproven as exc:
        raise AbsenceUnproven(
            f"Unknown whether volume {volume_id} is gone: {exc}. Retry when it responds"
        ) from exc


def snapshot_of(tenant: Tenant, volume: VolumeRef, uuid_or_id: str) -> Snapshot:
    """Return a volume's snapshot, by Cinder's id or the cluster's.

    :raises SnapshotMissing: there is none.
    """
    for snapshot in tenant.snapshots(volume):
        if snapshot.is_called(uuid_or_id):
            return snapshot
    raise SnapshotMissing(f"Snapshot {uuid_or_id} of {volume.path} does not exist")


def _the_only(found: list[AppInstance], volume_id: str) -> AppInstance:
    if len(found) > 1:
        names = ", ".join(ai.name for ai in found)
        raise UnexpectedAnswer(f"Volume {volume_id} is more than one app instance: {names}")
    return found[0]
