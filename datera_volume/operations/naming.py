# SPDX-License-Identifier: Apache-2.0
"""Names of volumes and tenants on the cluster. A volume's name always ends with Cinder's id."""

from __future__ import annotations

import re
from typing import Any

from datera_volume.connection import (
    NAME_RULE,
    ROOT,
    RequestRefused,
    configured_tenant,
    tenant_path,
)

PREFIX = "OS"
UNMANAGED = "UNMANAGED"
# Internal objects of the driver; the id at the end is not a volume's.
IMAGE = f"{PREFIX}-image"
SNAPSHOT = f"{PREFIX}-snapshot"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def instance_name(volume_id: str) -> str:
    """Return the name of a new volume's app instance."""
    return f"{PREFIX}-{volume_id}"


def description(volume_id: str) -> str:
    """Return the description of a volume's app instance, which identifies it as this driver's."""
    return f"Cinder volume {volume_id}"


def instance_pattern(volume_id: str) -> str:
    """Return the regular expression for the whole name of a volume's app instance.

    Cinder's in-tree driver puts the display name between prefix and id. Since the name ends with
    the id, a display name that is another volume's id does no harm.
    """
    return rf"{PREFIX}-.*{re.escape(volume_id)}"


def is_instance_name(name: str, volume_id: str) -> bool:
    """Whether an app instance of this name is that volume's."""
    return name == instance_name(volume_id) or (
        name.startswith(f"{PREFIX}-") and name.endswith(f"-{volume_id}")
    )


def unmanaged_name(volume_id: str) -> str:
    """Return the name of an unmanaged volume, the same as the in-tree driver's."""
    return f"{UNMANAGED}-{volume_id}"


def image_name(image_id: str) -> str:
    """Return the name of a cached image's app instance."""
    return f"{IMAGE}-{image_id}"


def snapshot_copy_name(snapshot_id: str) -> str:
    """Return the name of the clone that a snapshot is attached through."""
    return f"{SNAPSHOT}-{snapshot_id}"


def id_in(name: str) -> str | None:
    """Return the id at the end of a volume's name; None if it is not a Cinder volume's name."""
    match = re.fullmatch(rf"{PREFIX}-(?:.*-)?({UUID})", name)
    return match.group(1) if match else None


def own_use_of(name: str, descr: str) -> str | None:
    """Return what an app instance is used for, if it is not a volume.

    The name alone does not tell: it may be an in-tree driver's volume with display name "image".
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
    """Return the key to look up a snapshot: Cinder's id, or the cluster's if it was managed.

    Cinder's in-tree driver stores that in the same field.
    """
    return str(snapshot.provider_location or snapshot.id)


def remembered_tenant(volume: Any) -> str | None:
    """Return the recorded tenant of a volume; None where none is recorded.

    None is recorded for volumes of the in-tree driver and of early versions of this one.
    """
    text = str(volume.provider_id or "")
    return text if text == ROOT or text.startswith(f"{ROOT}/") else None


def is_map(setting: str | None) -> bool:
    """Whether each project has a tenant of its own, by the option ``datera_tenant_id``."""
    return configured_tenant(setting) is None


def tenant_for(setting: str | None, project_id: str) -> str:
    """Return the path of the tenant for a project's volumes.

    :param setting: the option ``datera_tenant_id``, validated.
    :raises RequestRefused: by the project's name its tenant would be below another one, or none.
    """
    if configured := configured_tenant(setting):
        return configured
    name = instance_name(project_id)
    if "/" in name:
        raise RequestRefused(
            f"Project {project_id!r} can have no tenant of its own: {name!r} is not {NAME_RULE}. "
            "Set datera_tenant_id to the name of one tenant for all projects."
        )
    return tenant_path(name)
