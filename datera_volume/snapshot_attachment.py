# SPDX-License-Identifier: Apache-2.0
"""The driver's part that attaches snapshots, for backups of volumes in use.

A snapshot has no target of its own on the cluster. It is attached as a copy, which shares its
blocks, is named after it, and lives only as long as it is exported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cinder import exception
from oslo_log import log as logging

from datera_volume import attachment, naming, provisioning
from datera_volume.attaching import Attaching
from datera_volume.connection import AlreadyOnCluster, NewAppInstance, NotOnCluster, Tenant
from datera_volume.lookup import instance_of, snapshot_of

LOG = logging.getLogger(__name__)


class AttachingSnapshots(Attaching):
    """Connections of hosts to snapshots."""

    def create_export_snapshot(self, context: Any, snapshot: Any, connector: Any) -> None:
        """Make the copy, or find it made by an earlier attempt."""
        with self._doing("Exporting snapshot %s", snapshot.id):
            tenant = self._tenant(snapshot.volume)
            volume = instance_of(tenant, snapshot.volume.name_id).volume
            source = snapshot_of(tenant, volume, naming.snapshot_key(snapshot))
            new = NewAppInstance(
                name=naming.snapshot_copy_name(snapshot.id),
                size_gib=volume.size_gib,
                descr=f"Snapshot {snapshot.id} while it is attached",
                source_path=source.path,
                source_kind="snapshot",
            )
            try:
                tenant.create_app_instance(new)
            except AlreadyOnCluster:
                if tenant.app_instance(new.name).descr != new.descr:
                    raise

    def initialize_connection_snapshot(
        self, snapshot: Any, connector: Mapping[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """Let the connector's host in to the copy, and say how it finds it."""
        with self._doing("Attaching snapshot %s", snapshot.id), self._attachments_of(snapshot):
            return attachment.attach(
                self._tenant(snapshot.volume), snapshot.id, connector, chap=self.settings.chap
            )

    def terminate_connection_snapshot(
        self, snapshot: Any, connector: Mapping[str, Any] | None, **kwargs: Any
    ) -> None:
        """Shut a host out of the copy again; where that is gone, nobody is in."""
        with self._doing("Detaching snapshot %s", snapshot.id), self._attachments_of(snapshot):
            iqn = (connector or {}).get("initiator")
            try:
                attachment.detach(self._tenant(snapshot.volume), snapshot.id, iqn)
            except NotOnCluster as exc:
                LOG.warning("Nothing to detach: %s", exc)

    def remove_export_snapshot(self, context: Any, snapshot: Any) -> None:
        """Delete the copy; one that is gone is deleted.

        :raises SnapshotIsBusy: the cluster will not delete it now.
        """
        with self._doing("Ending the export of snapshot %s", snapshot.id):
            try:
                delete_copy(self._tenant(snapshot.volume), snapshot.id)
            except provisioning.Busy as exc:
                raise exception.SnapshotIsBusy(snapshot_name=snapshot.name) from exc


def delete_copy(tenant: Tenant, snapshot_id: str) -> None:
    """Delete what a snapshot is, or was left, attached as, if there is anything.

    :raises Busy: the cluster will not delete it now.
    """
    try:
        copy = tenant.app_instance(naming.snapshot_copy_name(snapshot_id))
    except NotOnCluster:
        return
    provisioning.remove(tenant, copy)
