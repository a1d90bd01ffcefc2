# SPDX-License-Identifier: Apache-2.0
"""What a container and its backups are called, on the cluster and in Cinder's records."""

from __future__ import annotations

import re
from uuid import UUID

from datera_volume.connection import AppInstance

UUID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
CONTAINER_NAME = re.compile(rf"backup-{UUID_PATTERN}")
ANY_CONTAINER = "backup-.*"
"""What the cluster is asked for to get all containers, and maybe more."""
MARK = "Cinder backup container"
DESCRIPTION_LENGTH = 128
SERVICE_METADATA = "datera-container-1"


def container_name(backup_id: str) -> str:
    """The name of the container that this backup is the first one in."""
    return f"backup-{backup_id}"


def is_container_name(name: str | None) -> bool:
    """Whether a record's ``container`` can be one of ours at all."""
    return bool(name and CONTAINER_NAME.fullmatch(name))


def description(volume_id: str, label: str | None) -> str:
    """What the cluster shows for a container: what it is, of which volume, and the user's name.

    The cluster takes letters, digits, blanks and ``_-.`` only; the full name that the user gave
    stands in the backup's commit record.
    """
    text = f"{MARK} of volume {volume_id}"
    if label:
        text += " named " + re.sub(r"[^A-Za-z0-9 _.-]", "_", label)
    return text[:DESCRIPTION_LENGTH].rstrip()


def is_ours(ai: AppInstance) -> bool:
    """Whether this driver made the app instance, as far as the cluster can tell."""
    return is_container_name(ai.name) and ai.descr.startswith(MARK)


def service_metadata(backup_id: str) -> str:
    """What ``backup.service_metadata`` holds: the format, and what the container calls the backup.

    Together with ``backup.container`` that is all there is to find a backup again.
    """
    return f"{SERVICE_METADATA}:{backup_id}"


def backup_id_in(text: str) -> UUID | None:
    """What :func:`service_metadata` was given; None where the text is not of its making."""
    match = re.fullmatch(rf"{SERVICE_METADATA}:({UUID_PATTERN})", text)
    return UUID(match.group(1)) if match else None


def container_id(name: str) -> UUID:
    """What the container of this name calls itself: the id of the first backup in it."""
    return UUID(name.removeprefix("backup-"))
