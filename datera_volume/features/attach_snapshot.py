# SPDX-License-Identifier: Apache-2.0
"""Attaching snapshots, for backups of volumes in use.

A snapshot has no target of its own on the cluster. It is attached through a clone, which shares its
blocks, is named after it, and exists only while it is exported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cinder import exception
from oslo_log import log as logging

from datera_volume.connection import AlreadyOnCluster, NewAppInstance, NotOnCluster, Tenant, absence
from datera_volume.features.attach import AttachFeature
from datera_volume.operations import host_access, naming, provisioning
from datera_volume.operations.lookup import instance_of, snapshot_of

LOG = logging.getLogger(__name__)


class AttachSnapshotFeature(AttachFeature):
    """Attaches and detaches snapshots."""

    def create_export_snapshot(self, context: Any, snapshot: Any, connector: Any) -> None:
        """Create the clone, or find that of an earlier attempt."""
        with self._operation("Exporting snapshot %s", snapshot.id):
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
        """Grant the connector's host access to the clone, and return the connection properties."""
        with (
            self._operation("Attaching snapshot %s", snapshot.id),
            self._attachments_of(snapshot),
        ):
            return host_access.attach(
                self._tenant(snapshot.volume),
                snapshot.id,
                connector,
                chap=self.settings.chap,
                initiators=self._initiators,
            )

    def terminate_connection_snapshot(
        self, snapshot: Any, connector: Mapping[str, Any] | None, **kwargs: Any
    ) -> None:
        """Revoke a host's access to the clone; no error if that is gone."""
        with self._operation("Detaching snapshot %s", snapshot.id):
            iqn = (connector or {}).get("initiator")
            left: tuple[str, ...] = ()
            try:
                with self._attachments_of(snapshot):
                    left = host_access.detach(self._tenant(snapshot.volume), snapshot.id, iqn)
            except NotOnCluster as exc:
                LOG.warning("Nothing to detach: %s", exc)
            self._remove_unused_initiators(snapshot.volume, left, connector)

    def remove_export_snapshot(self, context: Any, snapshot: Any) -> None:
        """Delete the clone; no error if it is gone.

        :raises SnapshotIsBusy: the cluster refuses to delete it now.
        """
        with self._operation("Removing the export of snapshot %s", snapshot.id):
            try:
                delete_copy(self._tenant(snapshot.volume), snapshot.id)
            except provisioning.Busy as exc:
                raise exception.SnapshotIsBusy(snapshot_name=snapshot.name) from exc

    def clean_snapshot_file_locks(self, snapshot_id: str) -> None:
        """Remove the lock file of a deleted snapshot's attachments."""
        self.clean_volume_file_locks(snapshot_id)


def delete_copy(tenant: Tenant, snapshot_id: str) -> None:
    """Delete the clone that a snapshot is attached through, if there is one.

    :raises Busy: the cluster refuses to delete it now.
    :raises AbsenceUnproven: it is not found, but may still exist.
    """
    name = naming.snapshot_copy_name(snapshot_id)
    try:
        copy = tenant.app_instance(name)
    except NotOnCluster as exc:
        # Usually there is none, and listing everything is slow: two filtered listings without it
        # are proof enough.
        found = absence.proven(
            lambda: tenant.app_instances(name),
            lambda ai: ai.name == name,
            f"Unknown whether {name} is gone: {exc}",
        )
        if not found:
            return
        (copy,) = found
    provisioning.remove(tenant, copy)
