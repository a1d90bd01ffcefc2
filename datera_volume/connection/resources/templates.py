# SPDX-License-Identifier: Apache-2.0
"""App instances created from app templates."""

from __future__ import annotations

from typing import Any

from datera_volume.connection.dialect import Dialect
from datera_volume.connection.resources.model import NewAppInstance
from datera_volume.connection.transport.paths import child

COLLECTION = "/app_templates"


def template_fields(new: NewAppInstance, dialect: Dialect) -> dict[str, Any]:
    """Return the template's part of the request body: its path, and where possible the size."""
    if new.template is None:
        return {}
    fields: dict[str, Any] = {"app_template": {"path": child(COLLECTION, new.template)}}
    if new.override_size and dialect.template_override:
        # Unlike anywhere else the size is a string here, as the published drivers send it.
        volumes = {new.volume_name: {"size": str(new.size_gib)}}
        fields["template_override"] = {
            "storage_instances": {new.storage_name: {"volumes": volumes}}
        }
    return fields
