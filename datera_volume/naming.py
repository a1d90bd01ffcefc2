# SPDX-License-Identifier: Apache-2.0
"""Names on the cluster: of volumes, and of tenants. Cinder's id always ends a volume's name."""

from __future__ import annotations

import re

from datera_volume.connection.paths import tenant_path

PREFIX = "OS"


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


def tenant_for(setting: str | None, project_id: str) -> str:
    """Return the path of the tenant that a project's volumes lie in.

    :param setting: the option ``datera_tenant_id``: unset, ``None``, ``Map``, a name or a path.
    """
    word = (setting or "").strip()
    if word.lower() in ("", "none"):
        return tenant_path(None)
    if word.lower() == "map":
        return tenant_path(instance_name(project_id))
    return tenant_path(word)
