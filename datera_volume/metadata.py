# SPDX-License-Identifier: Apache-2.0
"""What Cinder knows of a volume, written beside it for whoever looks at the cluster."""

from __future__ import annotations

import json
from typing import Any

from oslo_log import log as logging

from datera_volume.connection import AppInstance, DateraError, Tenant

LOG = logging.getLogger(__name__)

# Of about 2,000 characters in all; others may keep words there too. As JSON, quotes included.
LONGEST_VALUE = 128


def note(tenant: Tenant, ai: AppInstance, volume: Any) -> None:
    """Write a volume's words; that they could not be written fails nothing."""
    try:
        tenant.annotate(ai, words_of(volume))
    except DateraError as exc:
        LOG.warning("The metadata of volume %s could not be written: %s", volume.id, exc)


def words_of(volume: Any) -> dict[str, str]:
    """Return what is written: nothing of who is attached, and nothing secret.

    The in-tree driver's names, and the ids; at most about 1,000 characters.
    """
    words = {
        "cinder_id": volume.id,
        "project_id": volume.project_id,
        "display_name": volume.display_name,
        "host": volume.host,
        "availability_zone": volume.availability_zone,
        "bootable": volume.bootable,
    }
    return {name: _bounded("" if value is None else str(value)) for name, value in words.items()}


def _bounded(text: str) -> str:
    # A letter of another script takes six characters in JSON.
    while len(json.dumps(text)) > LONGEST_VALUE:
        text = text[:-1]
    return text
