# SPDX-License-Identifier: Apache-2.0
"""Finding a volume's app instance, and its snapshots, exactly."""

from __future__ import annotations

from datera_volume import naming
from datera_volume.connection import (
    AppInstance,
    NotOnCluster,
    Snapshot,
    Tenant,
    UnexpectedAnswer,
    VolumeRef,
)


class VolumeMissing(NotOnCluster):
    """There is no such volume; the text names it and the tenant."""


class SnapshotMissing(NotOnCluster):
    """There is no such snapshot of a volume that is there."""


def instance_of(tenant: Tenant, volume_id: str) -> AppInstance:
    """Return the app instance of a volume: by its own name, else one of the in-tree driver's.

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
    if len(found) > 1:
        names = ", ".join(ai.name for ai in found)
        raise UnexpectedAnswer(f"Volume {volume_id} is more than one app instance: {names}")
    return found[0]


def snapshot_of(tenant: Tenant, volume: VolumeRef, uuid_or_id: str) -> Snapshot:
    """Return a volume's snapshot, by Cinder's id of it or the cluster's.

    :raises SnapshotMissing: there is none.
    """
    for snapshot in tenant.snapshots(volume):
        if uuid_or_id in (snapshot.uuid, snapshot.utc_ts):
            return snapshot
    raise SnapshotMissing(f"Snapshot {uuid_or_id} of {volume.path} does not exist")
