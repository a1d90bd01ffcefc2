# SPDX-License-Identifier: Apache-2.0
"""One tenant of a cluster, and everything that drivers do in it."""

from __future__ import annotations

from collections.abc import Mapping

from datera_volume.connection.model import (
    AppInstance,
    NewAppInstance,
    Snapshot,
    StorageInstanceRef,
    VolumeRef,
)


class Tenant:
    """A view of one tenant. Each request carries its header; it keeps nothing between calls.

    Every method may also raise the errors of the way to the cluster: :class:`ClusterUnreachable`,
    :class:`ClusterBusy`, :class:`CertificateRefused`, :class:`LoginRefused`,
    :class:`PermissionRefused`, :class:`OutcomeUnknown`, :class:`ClusterFault`,
    :class:`UnexpectedAnswer`.
    """

    path: str

    def ensure(self) -> None:
        """Make the tenant, and those above it, where they are missing.

        :raises PermissionRefused: it is missing and this user may not make it.
        """
        raise NotImplementedError

    def app_instance(self, name_or_id: str) -> AppInstance:
        """Return the one app instance of exactly this name or id.

        :raises NotOnCluster: there is none in this tenant.
        """
        raise NotImplementedError

    def app_instances(self, name_pattern: str | None = None) -> list[AppInstance]:
        """Return all app instances, or those whose whole name matches a regular expression.

        :raises ValueError: the pattern holds whitespace, which the cluster's filter cannot carry.
        """
        raise NotImplementedError

    def create_app_instance(self, new: NewAppInstance) -> AppInstance:
        """Make an app instance, and return it when it can be used.

        An answer that got lost is no failure: what stands there is recognised by its name, uuid and
        description, in this tenant.

        :raises AlreadyOnCluster: the name is taken.
        :raises RequestInvalid: a value is not one that the cluster accepts.
        :raises NotReadyInTime: it was made, and is still being copied after the deadline.
        """
        raise NotImplementedError

    def rename(self, ai: AppInstance, name: str) -> AppInstance:
        """Give it another name.

        :raises AlreadyOnCluster: the name is taken.
        """
        raise NotImplementedError

    def describe(self, ai: AppInstance, text: str) -> AppInstance:
        """Describe it in 3 to 128 letters, digits, blanks and ``_-.``, a letter or ``_`` first."""
        raise NotImplementedError

    def delete_app_instance(self, ai: AppInstance) -> None:
        """Switch it off, cutting off whoever still uses it, and delete it with all its snapshots.

        :raises NotOnCluster: it was already gone.
        """
        raise NotImplementedError

    def set_online(self, ai: AppInstance) -> AppInstance:
        """Switch it on and return it once every storage instance is available.

        :raises NotReadyInTime: that did not happen before the deadline.
        """
        raise NotImplementedError

    def set_offline(self, ai: AppInstance) -> AppInstance:
        """Switch it off, cutting off whoever still uses it."""
        raise NotImplementedError

    def resize_volume(self, ref: VolumeRef, gib: int) -> None:
        """Set the volume's size in GiB.

        :raises RequestRefused: the cluster does not allow it, or not while it is online.
        """
        raise NotImplementedError

    def set_replica_count(self, ref: VolumeRef, count: int) -> None:
        """Set how many copies the cluster keeps; it only accepts more than before."""
        raise NotImplementedError

    def set_placement(self, ref: VolumeRef, placement: str) -> None:
        """Set the placement mode, or the placement policy where the cluster has those."""
        raise NotImplementedError

    def set_limits(self, ref: VolumeRef, limits: Mapping[str, int]) -> None:
        """Set the quality of service to exactly these limits; none at all where it is empty."""
        raise NotImplementedError

    def snapshot(self, ref: VolumeRef, uuid: str) -> Snapshot:
        """Take a snapshot under this uuid, or return the one that has it, once it is available.

        :raises NotReadyInTime: it was taken and is not available before the deadline.
        """
        raise NotImplementedError

    def snapshots(self, ref: VolumeRef) -> list[Snapshot]:
        """Return all snapshots of the volume."""
        raise NotImplementedError

    def delete_snapshot(self, ref: VolumeRef, uuid: str) -> None:
        """Delete the snapshot with this uuid.

        :raises NotOnCluster: there is none, or no such volume.
        """
        raise NotImplementedError

    def allow_initiator(self, si: StorageInstanceRef, iqn: str, name: str) -> None:
        """Let an initiator in; one that is in already stays in.

        :param name: what to call the initiator where the cluster does not know it yet.
        """
        raise NotImplementedError

    def deny_initiator(self, si: StorageInstanceRef, iqn: str) -> None:
        """Let an initiator in no longer; one that is not in is no error."""
        raise NotImplementedError

    def set_ip_pool(self, si: StorageInstanceRef, pool: str) -> None:
        """Take the portals' addresses from another pool; the app instance must be offline."""
        raise NotImplementedError

    def set_chap(self, si: StorageInstanceRef, user: str | None, secret: str | None) -> None:
        """Ask initiators for this user and secret (12 to 16 characters); None asks for nothing."""
        raise NotImplementedError
