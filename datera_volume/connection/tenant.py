# SPDX-License-Identifier: Apache-2.0
"""One tenant of a cluster, and everything that drivers do in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from datera_volume.connection import access, annotating, instances, restoring, snapshots, tenants
from datera_volume.connection.asking import Asking
from datera_volume.connection.dialect import Dialect
from datera_volume.connection.errors import NotOnCluster
from datera_volume.connection.model import (
    DENY_ALL,
    AppInstance,
    NewAppInstance,
    Snapshot,
    StorageInstanceRef,
    SystemInfo,
    VolumeRef,
)
from datera_volume.connection.paths import child
from datera_volume.connection.reading import system_info

LIMIT_NAMES = tuple(
    f"{kind}_{unit}_max" for kind in ("total", "read", "write") for unit in ("iops", "bandwidth")
)


class Tenant:
    """A view of one tenant. Each request carries its header; it keeps nothing between calls.

    Every method may also raise the errors of the way to the cluster: :class:`ClusterUnreachable`,
    :class:`ClusterBusy`, :class:`CertificateRefused`, :class:`LoginRefused`,
    :class:`PermissionRefused`, :class:`OutcomeUnknown`, :class:`ClusterFault`,
    :class:`UnexpectedAnswer`.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    @property
    def path(self) -> str:
        """The tenant's absolute path, ``/root`` or below."""
        return self._asking.tenant

    @property
    def dialect(self) -> Dialect:
        """How its cluster is spoken to; logs in where that has not happened yet."""
        return self._asking.dialect

    def __repr__(self) -> str:
        return f"Tenant({self.path!r} at {self._asking.link.settings.address})"

    def at_once(self) -> Tenant:
        """Return a view that asks a busy or unreachable cluster once, and does not wait for it."""
        return Tenant(dataclasses.replace(self._asking, busy_timeout=0.0))

    def ensure(self) -> None:
        """Make the tenant, and those above it, where they are missing.

        :raises PermissionRefused: it is missing and this user may not make it.
        """
        tenants.ensure(self._asking)

    def exists(self) -> bool | None:
        """Whether the tenant is there; None if this user may not look. Nothing is made."""
        return tenants.exists(self._asking)

    def has_placement_policy(self, name: str) -> bool | None:
        """Whether the cluster has this placement policy; None where it has no such policies."""
        if not self.dialect.placement_policies:
            return None
        try:
            self._asking.get(child("/placement_policies", name.rsplit("/", 1)[-1]))
        except NotOnCluster:
            return False
        return True

    def system(self) -> SystemInfo:
        """Return what the cluster says of itself."""
        return system_info(self._asking.get("/system"))

    # -- app instances

    def app_instance(self, name_or_id: str) -> AppInstance:
        """Return the one app instance of exactly this name or id.

        :raises NotOnCluster: there is none in this tenant.
        """
        return instances.find(self._asking, name_or_id)

    def app_instances(self, name_pattern: str | None = None) -> list[AppInstance]:
        """Return all app instances, or those whose whole name matches a regular expression.

        :raises ValueError: the pattern holds blanks or parentheses, which the cluster's filter
            cannot carry, or is no regular expression.
        """
        return instances.matching(self._asking, name_pattern)

    def create_app_instance(self, new: NewAppInstance) -> AppInstance:
        """Make an app instance, and return it when it is no longer being copied.

        An answer that got lost is no failure: what stands there is recognised by its name, uuid and
        description, in this tenant. So give at least one of uuid and description.

        :raises AlreadyOnCluster: the name is taken.
        :raises RequestInvalid: a value is not one that the cluster accepts.
        :raises NotReadyInTime: it was made, and is still being copied after the deadline.
        """
        return instances.create(self._asking, new)

    def rename(self, ai: AppInstance, name: str) -> AppInstance:
        """Give it another name.

        :raises AlreadyOnCluster: the name is taken.
        """
        return instances.change(self._asking, ai, {"name": name})

    def describe(self, ai: AppInstance, text: str) -> AppInstance:
        """Describe it in 3 to 128 letters, digits, blanks and ``_-.``, a letter or ``_`` first."""
        return instances.change(self._asking, ai, {"descr": text})

    def annotate(self, ai: AppInstance, words: Mapping[str, str]) -> None:
        """Set these keys of its metadata, which hold about 2,000 characters in all.

        :raises RequestRefused: there are too many.
        """
        annotating.annotate(self._asking, ai, words)

    def annotations(self, ai: AppInstance) -> dict[str, str]:
        """Return its metadata."""
        return annotating.words_of(self._asking, ai)

    def delete_app_instance(self, ai: AppInstance) -> None:
        """Switch it off, cutting off whoever still uses it, and delete it with all its snapshots.

        :raises NotOnCluster: it was already gone.
        """
        instances.delete(self._asking, ai)

    def set_online(self, ai: AppInstance) -> AppInstance:
        """Switch it on and return it once every storage instance is available.

        :raises NotReadyInTime: that did not happen before the deadline.
        """
        return instances.set_online(self._asking, ai)

    def set_offline(self, ai: AppInstance, *, force: bool = True) -> AppInstance:
        """Switch it off; with force, cutting off whoever still uses it.

        :raises RequestRefused: somebody uses it, and there is no force.
        """
        return instances.set_offline(self._asking, ai, force=force)

    # -- volumes

    def resize_volume(self, ref: VolumeRef, gib: int) -> None:
        """Set the volume's size in GiB.

        :raises RequestRefused: the cluster does not allow it, or not while it is online.
        """
        self._asking.put(ref.path, {"size": gib})

    def set_replica_count(self, ref: VolumeRef, count: int) -> None:
        """Set how many copies the cluster keeps; it only accepts more than before.

        :raises RequestRefused: the cluster does not allow it, or not while it is online.
        """
        self._asking.put(ref.path, {"replica_count": count})

    def set_placement(self, ref: VolumeRef, mode: str | None, policy: str | None) -> None:
        """Set the placement policy where the cluster has those, else the mode."""
        field = instances.placement_field(self._asking.dialect, mode, policy)
        if field:
            self._asking.put(ref.path, field)

    def set_limits(self, ref: VolumeRef, limits: Mapping[str, int]) -> None:
        """Set the quality of service to exactly these limits; none at all where it is empty."""
        path = child(ref.path, "performance_policy")
        wanted = {name: value for name, value in limits.items() if value}
        try:
            if wanted:
                # The cluster keeps what a change does not name.
                self._asking.put(path, {**dict.fromkeys(LIMIT_NAMES, 0), **wanted})
            else:
                self._asking.delete(path)
        except NotOnCluster:
            if wanted:
                self._asking.post(path, wanted)

    # -- snapshots

    def snapshot(self, ref: VolumeRef, uuid: str) -> Snapshot:
        """Take a snapshot under this uuid, or return the one that has it, once it is available.

        :raises NotReadyInTime: it was taken and is not available before the deadline.
        """
        return snapshots.take(self._asking, ref, uuid)

    def snapshots(self, ref: VolumeRef) -> list[Snapshot]:
        """Return all snapshots of the volume."""
        return snapshots.listed(self._asking, ref)

    def delete_snapshot(self, ref: VolumeRef, uuid: str) -> None:
        """Delete the snapshot with this uuid, or with this id on the cluster.

        :raises NotOnCluster: there is none, or no such volume.
        """
        snapshots.delete(self._asking, ref, uuid)

    def restore(self, ref: VolumeRef, snapshot: Snapshot) -> None:
        """Put the volume back to a snapshot; its app instance must be offline.

        :raises RequestRefused: it is online, or the snapshot cannot be used.
        :raises NotReadyInTime: the volume is not available again before the deadline.
        """
        restoring.restore(self._asking, ref, snapshot)

    # -- access

    def close_to_all(self, si: StorageInstanceRef) -> None:
        """Let in only who is in the access list; there is no way back."""
        self._asking.put(si.path, {"access_control_mode": DENY_ALL})

    def allow_initiator(self, si: StorageInstanceRef, iqn: str, name: str) -> None:
        """Let an initiator in; one that is in already stays in.

        :param name: what to call the initiator where the cluster does not know it yet.
        """
        access.allow(self._asking, si, iqn, name)

    def deny_initiator(self, si: StorageInstanceRef, iqn: str) -> None:
        """Let an initiator in no longer; one that is not in is no error.

        :raises NotOnCluster: there is no such storage instance.
        """
        access.deny(self._asking, si, iqn)

    def set_ip_pool(self, si: StorageInstanceRef, pool: str) -> None:
        """Take the portals' addresses from another pool; the app instance must be offline."""
        self._asking.put(si.path, {"ip_pool": {"path": child("/access_network_ip_pools", pool)}})

    def set_chap(self, si: StorageInstanceRef, user: str | None, secret: str | None) -> None:
        """Ask initiators for this user and secret (12 to 16 characters); None asks for nothing.

        :raises ValueError: the secret's length is another.
        """
        access.set_chap(self._asking, si, user, secret)
