# SPDX-License-Identifier: Apache-2.0
"""The objects of a cluster, as values. Sizes are in GiB unless a name says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from datera_volume.connection.errors import UnexpectedAnswer
from datera_volume.connection.names import fold_iqn
from datera_volume.connection.transport.paths import last_segment

AVAILABLE = "available"
ONLINE = "online"
OFFLINE = "offline"
ALLOW_ALL = "allow_all"
DENY_ALL = "deny_all"

SourceKind = Literal["app_instance", "volume", "snapshot"]


class VolumeRef(Protocol):
    """Anything with a volume's path; a :class:`Volume` is one."""

    @property
    def path(self) -> str:
        """The path on the cluster, unescaped, as the cluster gave it."""


class StorageInstanceRef(Protocol):
    """Anything with a storage instance's path; a :class:`StorageInstance` is one."""

    @property
    def path(self) -> str:
        """The path on the cluster, unescaped, as the cluster gave it."""


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a volume. ``utc_ts`` is its id on the cluster: a string, never a number."""

    uuid: str
    utc_ts: str
    op_state: str
    path: str

    def is_called(self, uuid_or_id: str) -> bool:
        """Whether this is its uuid, or its id on the cluster."""
        return uuid_or_id in (self.uuid, self.utc_ts)


@dataclass(frozen=True)
class Volume:
    """One volume of a storage instance.

    :param size_gib: whole GiB, rounded down; a volume of another client may have a fraction more.
    :param exact_gib: the size as the cluster reports it.
    :param snapshots: as of the response that the volume was read from.
    """

    name: str
    path: str
    size_gib: int
    uuid: str = ""
    replica_count: int | None = None
    placement_mode: str | None = None
    placement_policy: str | None = None
    op_state: str = ""
    in_use_gib: float | None = None
    exact_gib: float = 0.0
    snapshots: tuple[Snapshot, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StorageInstance:
    """One iSCSI target: its portals, its ACL, and its volumes.

    :param logged_in: initiators with an iSCSI session; None where the cluster does not report it.
    """

    name: str
    path: str
    op_state: str
    ips: tuple[str, ...] = ()
    iqn: str = ""
    initiators: tuple[str, ...] = ()
    initiator_groups: tuple[str, ...] = ()
    ip_pool: str | None = None
    auth_type: str = "none"
    auth_user: str = ""
    access_control_mode: str = DENY_ALL
    volumes: tuple[Volume, ...] = ()
    logged_in: tuple[str, ...] | None = None

    @property
    def pool(self) -> str:
        """The name of the pool of IP addresses.

        :raises UnexpectedAnswer: the response did not say; every version of the API does.
        """
        if not self.ip_pool:
            raise UnexpectedAnswer(f"A response has no 'ip_pool' of {self.path}")
        return last_segment(self.ip_pool)

    @property
    def open_to_all(self) -> bool:
        """Whether every initiator may log in, whatever the ACL contains."""
        return self.access_control_mode == ALLOW_ALL

    @property
    def has_initiators(self) -> bool:
        """Whether the ACL contains any initiator, or group of them."""
        return bool(self.initiators or self.initiator_groups)

    def allows(self, iqn: str) -> bool:
        """Whether the ACL contains this initiator itself, in upper or lower case."""
        return fold_iqn(iqn) in map(fold_iqn, self.initiators)

    @property
    def available(self) -> bool:
        """Whether initiators that are allowed to can log in now."""
        return self.op_state == AVAILABLE


@dataclass(frozen=True)
class AppInstance:
    """The unit that is created, named, set online and offline, and deleted."""

    id: str
    name: str
    path: str
    tenant: str
    descr: str = ""
    uuid: str = ""
    admin_state: str = ""
    op_state: str = ""
    create_mode: str = ""
    template: str | None = None
    storage_instances: tuple[StorageInstance, ...] = ()

    @property
    def online(self) -> bool:
        """Whether its admin state is online; its targets may not be available yet."""
        return self.admin_state == ONLINE

    @property
    def available(self) -> bool:
        """Whether it is online and all of its targets are available."""
        return self.online and all(si.available for si in self.storage_instances)

    @property
    def has_initiators(self) -> bool:
        """Whether the ACL of any storage instance contains an initiator or a group."""
        return any(si.has_initiators for si in self.storage_instances)

    @property
    def storage_instance(self) -> StorageInstance:
        """The only storage instance.

        :raises UnexpectedAnswer: there is none, or more than one.
        """
        if len(self.storage_instances) != 1:
            raise UnexpectedAnswer(
                f"App instance {self.name} has {len(self.storage_instances)} storage instances, "
                f"not one"
            )
        return self.storage_instances[0]

    @property
    def volume(self) -> Volume:
        """The only volume.

        :raises UnexpectedAnswer: there is none, or more than one.
        """
        volumes = self.storage_instance.volumes
        if len(volumes) != 1:
            raise UnexpectedAnswer(f"App instance {self.name} has {len(volumes)} volumes, not one")
        return volumes[0]


@dataclass(frozen=True)
class NewAppInstance:
    """An app instance to create: one storage instance with one volume and an empty ACL.

    With a source, it is a clone of it: size, names, replicas and placement are those of the source,
    whatever is given here; change them afterwards. With a template they are those of the template,
    except for the size where the cluster can override it.

    :param uuid: the uuid of the app instance and the volume (``openstack`` mode only).
    :param placement_mode: ``hybrid``, ``single_flash`` or ``all_flash``; None leaves it to the
        cluster.
    :param placement_policy: name of a policy, which takes precedence over a mode; ignored where the
        cluster has no placement policies.
    :param limits: quality of service, by the cluster's names (``total_iops_max``…); 0 is unlimited.
    :param open_to_all: allow every initiator; can be revoked later, but never granted.
    :param template: name of the app template to create it from.
    :param override_size: override the template's size with ``size_gib``; ignored where the cluster
        cannot.
    :param source_path: path of the volume or snapshot to clone.
    :param source_kind: the kind of object at ``source_path``.
    """

    name: str
    size_gib: int
    replica_count: int | None = None
    placement_mode: str | None = None
    placement_policy: str | None = None
    ip_pool: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    descr: str | None = None
    create_mode: str = "openstack"
    uuid: str | None = None
    source_path: str | None = None
    source_kind: SourceKind | None = None
    storage_name: str = "storage-1"
    volume_name: str = "volume-1"
    open_to_all: bool = False
    template: str | None = None
    override_size: bool = True


@dataclass(frozen=True)
class SystemInfo:
    """The cluster itself. Capacities are raw bytes: each replica consumes its own share."""

    uuid: str
    name: str
    sw_version: str
    op_state: str = ""
    health: str = ""
    total_capacity: int = 0
    available_capacity: int = 0
    total_provisioned_capacity: int = 0
    all_flash_total_capacity: int = 0
    all_flash_available_capacity: int = 0
    all_flash_provisioned_capacity: int = 0
    hybrid_total_capacity: int = 0
    hybrid_available_capacity: int = 0
    hybrid_provisioned_capacity: int = 0
    compression_enabled: bool = False
    compression_ratio: str = ""
    l3_enabled: bool = False
