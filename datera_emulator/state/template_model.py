# SPDX-License-Identifier: Apache-2.0
"""App templates: what new app instances are made from. Plain data, as in :mod:`.model`."""

from __future__ import annotations

from dataclasses import dataclass, field

from datera_emulator.documents import Document
from datera_emulator.state.model import Auth, SnapshotPolicy, policies_from


@dataclass
class VolumeTemplate:
    """The template of a volume; ``size`` in GiB."""

    name: str
    size: int
    replica_count: int
    placement_mode: str
    performance_policy: dict[str, int] | None = None
    snapshot_policies: dict[str, SnapshotPolicy] = field(default_factory=dict)


@dataclass
class StorageTemplate:
    """The template of a storage instance; ``ip_pool`` is a path, empty for the default."""

    name: str
    ip_pool: str = ""
    auth: Auth = field(default_factory=Auth)
    volume_templates: dict[str, VolumeTemplate] = field(default_factory=dict)


@dataclass
class AppTemplate:
    """The template of an app instance; belongs to a tenant, and is visible to those below."""

    name: str
    tenant: str
    descr: str = ""
    storage_templates: dict[str, StorageTemplate] = field(default_factory=dict)
    snapshot_policies: dict[str, SnapshotPolicy] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path in the API."""
        return f"/app_templates/{self.name}"


def app_template_from(document: Document) -> AppTemplate:
    """Return the app template that :func:`.model.document_of` wrote."""
    fields = dict(document)
    fields["snapshot_policies"] = policies_from(fields["snapshot_policies"])
    fields["storage_templates"] = {
        name: _storage_template_from(inner) for name, inner in fields["storage_templates"].items()
    }
    return AppTemplate(**fields)


def _storage_template_from(document: Document) -> StorageTemplate:
    fields = dict(document)
    fields["auth"] = Auth(**fields["auth"])
    fields["volume_templates"] = {
        name: VolumeTemplate(
            **{**inner, "snapshot_policies": policies_from(inner["snapshot_policies"])}
        )
        for name, inner in fields["volume_templates"].items()
    }
    return StorageTemplate(**fields)
