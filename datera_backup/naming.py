# SPDX-License-Identifier: Apache-2.0
"""What a container and its backups are called, on the cluster and in Cinder's records."""

from __future__ import annotations

import re
from uuid import UUID

from datera_volume.connection import AppInstance

UUID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
TENANT_PATTERN = r"/root(?:/[^/]+)*"
CONTAINER_NAME = re.compile(rf"backup-{UUID_PATTERN}")
ANY_CONTAINER = "backup-.*"
"""What the cluster is asked for to get all containers, and maybe more."""
MARK = "Cinder backup container"
DESCRIPTION_LENGTH = 128
CHAIN_LENGTH = 12
CHAIN = re.compile(rf" of volume \S+ chain ([0-9a-f]{{{CHAIN_LENGTH}}})")
SERVICE_METADATA = "datera-container"
SERVICE_METADATA_LENGTH = 255
"""What Cinder's database has room for."""


def container_name(backup_id: str) -> str:
    """The name of the container that this backup is the first one in."""
    return f"backup-{backup_id}"


def is_container_name(name: object) -> bool:
    """Whether a record's ``container`` can be one of ours at all."""
    return isinstance(name, str) and CONTAINER_NAME.fullmatch(name) is not None


def description(volume_id: str, chain: str, label: str | None) -> str:
    """What the cluster shows for a container: what it is, of which volume, and the user's name.

    :param chain: :func:`chain_of_first` or :func:`chain_in` of one that is in the same chain.

    The cluster takes letters, digits, blanks and ``_-.`` only; the full name that the user gave
    stands in the backup's commit record.
    """
    text = f"{MARK} of volume {volume_id} chain {chain}"
    if label:
        text += " named " + re.sub(r"[^A-Za-z0-9 _.-]", "_", label)
    return text[:DESCRIPTION_LENGTH].rstrip()


def chain_of_first(name: str) -> str:
    """What the containers of a chain have in common whose first one has this name."""
    return container_id(name).hex[:CHAIN_LENGTH]


def chain_in(ai: AppInstance) -> str:
    """What the containers of its chain have in common, by its description.

    Two chains may have the same: then more containers are looked at than need be.
    """
    match = CHAIN.search(ai.descr)
    return match.group(1) if match else chain_of_first(ai.name)


def is_ours(ai: AppInstance) -> bool:
    """Whether this driver made the app instance, as far as the cluster can tell."""
    return is_container_name(ai.name) and ai.descr.startswith(MARK)


def service_metadata(tenant: str, backup_id: UUID) -> str:
    """What ``backup.service_metadata`` holds: the tenant, and what the container calls the backup.

    Together with ``backup.container`` that is all there is to find a backup again.

    :param tenant: the absolute path of the one that the container is in.
    :raises ValueError: Cinder's record has no room for that.
    """
    text = f"{SERVICE_METADATA}:{tenant}:{backup_id}"
    surplus = len(text) - SERVICE_METADATA_LENGTH
    if surplus > 0:
        raise ValueError(f"the tenant's path is {surplus} characters too long")
    return text


def read_service_metadata(text: str) -> tuple[str, UUID] | None:
    """What :func:`service_metadata` was given; None where the text is not of its making."""
    match = re.fullmatch(rf"{SERVICE_METADATA}:({TENANT_PATTERN}):({UUID_PATTERN})", text)
    return (match.group(1), UUID(match.group(2))) if match else None


def is_tenant_path(text: object) -> bool:
    """Whether this can be the absolute path of a tenant."""
    return isinstance(text, str) and re.fullmatch(TENANT_PATTERN, text) is not None


def container_id(name: str) -> UUID:
    """What the container of this name calls itself: the id of the first backup in it."""
    return UUID(name.removeprefix("backup-"))
