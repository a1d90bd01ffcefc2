# SPDX-License-Identifier: Apache-2.0
"""Cinder's properties of a volume, written into its metadata for the cluster's operators."""

from __future__ import annotations

import json
from typing import Any

from oslo_log import log as logging

from datera_volume.connection import AppInstance, DateraError, Tenant

LOG = logging.getLogger(__name__)

# Of about 2,000 characters in all, shared with other clients. As JSON, quotes included.
LONGEST_VALUE = 128


def write(tenant: Tenant, ai: AppInstance, volume: Any) -> None:
    """Write a volume's properties; a failure is logged only."""
    try:
        tenant.update_metadata(ai, metadata_of(volume))
    except DateraError as exc:
        LOG.warning("The metadata of volume %s could not be written: %s", volume.id, exc)


def metadata_of(volume: Any) -> dict[str, str]:
    """Return the metadata of a volume, without attachments and secrets.

    The in-tree driver's keys, and the ids; at most about 1,000 characters.
    """
    values = {
        "cinder_id": volume.id,
        "project_id": volume.project_id,
        "display_name": volume.display_name,
        "host": volume.host,
        "availability_zone": volume.availability_zone,
        "bootable": volume.bootable,
    }
    return {name: _bounded("" if value is None else str(value)) for name, value in values.items()}


def _bounded(text: str) -> str:
    # A letter of another script takes six characters in JSON.
    while len(json.dumps(text)) > LONGEST_VALUE:
        text = text[:-1]
    return text
