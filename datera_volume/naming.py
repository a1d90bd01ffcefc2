# SPDX-License-Identifier: Apache-2.0
"""Names on the cluster: of volumes, and of tenants. Cinder's id always ends a volume's name."""

from __future__ import annotations

import re
from typing import Any

from datera_volume.connection import configured_tenant
from datera_volume.connection.paths import ROOT, tenant_path

PREFIX = "OS"
UNMANAGED = "UNMANAGED"
# What the driver keeps for itself; the id at the end is no volume's.
IMAGE = f"{PREFIX}-image"
SNAPSHOT = f"{PREFIX}-snapshot"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def instance_name(volume_id: str) -> str:
    """Return the name that a new volume's app instance gets."""
    return f"{PREFIX}-{volume_id}"


def description(volume_id: str) -> str:
    """Return what describes a volume's app instance where its name could be anybody's."""
    return f"Cinder volume {volume_id}"


def instance_pattern(volume_id: str) -> str:
    """Return what the whole name of a volume's app instance matches.

    Cinder's in-tree driver puts the display name between prefix and id. As the id ends the name, a
    display name that is another volume's id changes nothing.
    """
    return rf"{PREFIX}-.*{re.escape(volume_id)}"


def is_instance_name(name: str, volume_id: str) -> bool:
    """Whether an app instance of this name is that volume's."""
    return name == instance_name(volume_id) or (
        name.startswith(f"{PREFIX}-") and name.endswith(f"-{volume_id}")
    )


def unmanaged_name(volume_id: str) -> str:
    """Return what a volume is called when Cinder gives it up; the in-tree driver says so too."""
    return f"{UNMANAGED}-{volume_id}"


def image_name(image_id: str) -> str:
    """Return the name of a cached image's app instance."""
    return f"{IMAGE}-{image_id}"


def snapshot_copy_name(snapshot_id: str) -> str:
    """Return the name of the copy that a snapshot is attached as."""
    return f"{SNAPSHOT}-{snapshot_id}"


def id_in(name: str) -> str | None:
    """Return the id that ends a volume's name; None where it cannot be a volume's of Cinder's."""
    match = re.fullmatch(rf"{PREFIX}-(?:.*-)?({UUID})", name)
    return match.group(1) if match else None


def own_use_of(name: str, descr: str) -> str | None:
    """Return what an app instance serves, if that is no volume of its own.

    The name does not tell: the in-tree driver calls a volume so whose display name is "image".
    """
    for prefix, begins, use in (
        (IMAGE, "Image ", "a cached image"),
        (SNAPSHOT, "Snapshot ", "a snapshot while it is attached"),
        ("backup", "Cinder backup container ", "a container of backups"),
    ):
        if descr.startswith(begins) and re.fullmatch(rf"{prefix}-{UUID}", name):
            return use
    return None


def snapshot_key(snapshot: Any) -> str:
    """Return what a snapshot is found by: Cinder's id, or the cluster's where it was managed.

    Cinder's in-tree driver keeps that in the same field.
    """
    return str(snapshot.provider_location or snapshot.id)


def remembered_tenant(volume: Any) -> str | None:
    """Return the tenant that a volume lies in, where that is not the one of its project."""
    text = str(volume.provider_id or "")
    return text if text == ROOT or text.startswith(f"{ROOT}/") else None


def is_map(setting: str | None) -> bool:
    """Whether each project has a tenant of its own, by the option ``datera_tenant_id``."""
    return configured_tenant(setting) is None


def tenant_for(setting: str | None, project_id: str) -> str:
    """Return the path of the tenant that a project's volumes lie in.

    :param setting: the option ``datera_tenant_id``, as it was checked when it was read.
    """
    return configured_tenant(setting) or tenant_path(instance_name(project_id))
