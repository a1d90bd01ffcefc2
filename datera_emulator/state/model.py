# SPDX-License-Identifier: Apache-2.0
"""What a cluster holds, as plain data; rules are in `rules/`, files in :mod:`.files`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

from datera_emulator.documents import Document

GIB = 1 << 30
NO_UUID = "00000000-0000-0000-0000-000000000000"
RESTORING = "internal_operation_in_progress"


@dataclass
class Snapshot:
    """A point in time of one volume, or of all volumes of an app instance.

    ``id`` is ``<seconds>.<nanoseconds>``, the latter *not* padded with zeros: no number.
    ``file`` is empty for a snapshot of an app instance: its volumes have the data.
    """

    id: str
    uuid: str
    file: str
    size: float
    creating_reads: int = 0

    @property
    def order(self) -> tuple[int, int]:
        """When it was taken, as something that compares."""
        seconds, _, nanoseconds = self.id.partition(".")
        return int(seconds), int(nanoseconds)


@dataclass
class SnapshotPolicy:
    """When to take snapshots, and how many to keep; kept, but nothing is taken by it."""

    name: str
    interval: str
    retention_count: int
    start_time: str = ""


@dataclass
class Volume:
    """A block device of ``size`` GiB; its data is ``file``.

    ``operation`` is what goes on with it for ``operation_reads`` more reads.
    """

    name: str
    uuid: str
    file: str
    size: float
    replica_count: int
    placement_mode: str
    placement_policy: str = "default"
    performance_policy: dict[str, int] | None = None
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    snapshot_policies: dict[str, SnapshotPolicy] = field(default_factory=dict)
    operation: str = ""
    operation_reads: int = 0
    recovering_reads: int = 0

    @property
    def size_bytes(self) -> int:
        """The device's size."""
        return int(self.size * GIB)

    @property
    def restoring(self) -> bool:
        """Whether its data is being replaced, so that no host can attach it."""
        return self.operation == RESTORING and self.operation_reads > 0


@dataclass
class Auth:
    """Who may log in to a target; secrets never reach a repr."""

    type: str = "none"
    initiator_user_name: str = ""
    initiator_pswd: str = field(default="", repr=False)
    target_user_name: str = ""
    target_pswd: str = field(default="", repr=False)


@dataclass
class StorageInstance:
    """A target: an IQN, who may log in, and the volumes behind it (LUN 0 first)."""

    name: str
    uuid: str
    iqn: str
    admin_state: str = "online"
    access_control_mode: str = "deny_all"
    ip_pool: str = "default"
    auth: Auth = field(default_factory=Auth)
    initiators: list[str] = field(default_factory=list)
    initiator_groups: list[str] = field(default_factory=list)
    volumes: dict[str, Volume] = field(default_factory=dict)
    unavailable_reads: int = 0
    refused_logins: int = 0


@dataclass
class AppInstance:
    """What an application sees as one thing; the unit of naming, cloning and admin state."""

    id: str
    tenant: str
    name: str
    uuid: str
    created_ns: int
    descr: str = ""
    create_mode: str = "normal"
    admin_state: str = "online"
    storage_instances: dict[str, StorageInstance] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    snapshot_policies: dict[str, SnapshotPolicy] = field(default_factory=dict)
    metadata: Document = field(default_factory=dict)
    app_template: str = ""
    app_template_tenant: str = ""
    cloning_reads: int = 0

    @property
    def path(self) -> str:
        """The path in the API."""
        return f"/app_instances/{self.id}"

    def volumes(self) -> Iterator[tuple[StorageInstance, Volume]]:
        """Yield every volume with the storage instance that it belongs to."""
        for storage in self.storage_instances.values():
            for volume in storage.volumes.values():
                yield storage, volume

    def op_state_of(self, storage: StorageInstance) -> str:
        """Return "available" when a host can log in to this storage instance now."""
        ready = (
            self.admin_state == storage.admin_state == "online"
            and self.cloning_reads == storage.unavailable_reads == 0
            and not any(volume.restoring for volume in storage.volumes.values())
        )
        return "available" if ready else "unavailable"


@dataclass
class Initiator:
    """A host's name; belongs to the tenant that registered it."""

    id: str
    tenant: str
    name: str

    @property
    def path(self) -> str:
        """The path in the API."""
        return f"/initiators/{self.id}"


@dataclass
class InitiatorGroup:
    """Several initiators under one name."""

    name: str
    tenant: str
    members: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The path in the API."""
        return f"/initiator_groups/{self.name}"


@dataclass
class Tenant:
    """A tenant; ``path`` is absolute and starts with ``/root``."""

    path: str
    descr: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[1]


@dataclass
class IpPool:
    """The pool of a storage instance's addresses; stored, but not used."""

    name: str
    network_paths: list[Document] = field(default_factory=list)
    descr: str = ""


@dataclass
class StorageNode:
    """One of the machines that hold replicas. ``number`` counts from 1."""

    uuid: str
    number: int
    admin_state: str = "online"

    @property
    def name(self) -> str:
        """The display name."""
        return f"node-{self.number}"

    @property
    def path(self) -> str:
        """The path in the API."""
        return f"/storage_nodes/{self.uuid}"


@dataclass
class PlacementPolicy:
    """The media of a volume's replicas; stored, without effect."""

    name: str
    descr: str = ""
    max: list[Document] = field(default_factory=list)
    min: list[Document] = field(default_factory=list)


def document_of(thing: object) -> Document:
    """Return a model object as JSON."""
    return dataclasses.asdict(thing)  # type: ignore[call-overload,no-any-return]


def app_instance_from(document: Document) -> AppInstance:
    """Return the app instance that :func:`document_of` wrote."""
    fields = dict(document)
    fields["snapshots"] = _snapshots_from(fields["snapshots"])
    fields["snapshot_policies"] = policies_from(fields.get("snapshot_policies", {}))
    fields["storage_instances"] = {
        name: _storage_instance_from(inner) for name, inner in fields["storage_instances"].items()
    }
    return AppInstance(**fields)


def policies_from(documents: Document) -> dict[str, SnapshotPolicy]:
    """Return the snapshot policies that :func:`document_of` wrote."""
    return {name: SnapshotPolicy(**inner) for name, inner in documents.items()}


def _storage_instance_from(document: Document) -> StorageInstance:
    fields = dict(document)
    fields["auth"] = Auth(**fields["auth"])
    fields["volumes"] = {name: _volume_from(inner) for name, inner in fields["volumes"].items()}
    return StorageInstance(**fields)


def _volume_from(document: Document) -> Volume:
    fields = dict(document)
    fields["snapshots"] = _snapshots_from(fields["snapshots"])
    fields["snapshot_policies"] = policies_from(fields.get("snapshot_policies", {}))
    return Volume(**fields)


def _snapshots_from(documents: Document) -> dict[str, Snapshot]:
    return {key: Snapshot(**inner) for key, inner in documents.items()}
