# SPDX-License-Identifier: Apache-2.0
"""Confines drivers whose containers are folders to their own folder.

Cinder's posix, nfs and glusterfs drivers join their path and the container's name, which
comes from a user (``--container``) or an imported record. With ``../west/mine`` they would write
to, read from and delete in the folder of another backend.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cinder import exception

from backup_dispatch.drivers.families import keeps_folders
from backup_dispatch.errors import ContainerRefused, fitting

_SHOWN = 60
"""Maximum characters of a container's name in a message, so that the remedy fits."""


def folder_of(driver: Any) -> str | None:
    """The folder that contains the driver's containers; None if it has none, or not yet."""
    # A chunked driver of somebody else's may keep folders without being built on Cinder's.
    return getattr(driver, "backup_path", None)


def refuse_new(driver: Any, backup: Any, name: str) -> None:
    """Refuse a new backup whose container, named by the user, is not a plain folder name.

    :param name: the backend's.
    :raises ContainerRefused: for that, or because the parent to read is not in the backend.
    """
    if not keeps_folders(driver):
        return
    container = backup.container
    if container is not None and not _is_plain(container):
        raise ContainerRefused(
            f"Backend {name} keeps backups in folders, and the container {_shown(container)} "
            "cannot be one: leave it out, or take a name without '/' and control characters that "
            "begins with no '.'."
        )
    if backup.parent_id:
        _refuse_outside(backup.parent, name)


def refuse_outside(driver: Any, backup: Any, name: str) -> None:
    """Refuse operations on what a record places outside the backend's own folder.

    :param backup: an incremental's ancestors are checked too.
    :param name: the backend's.
    :raises ContainerRefused: the record, or an ancestor's, does so.
    """
    if keeps_folders(driver):
        for one in _with_ancestors(backup):
            _refuse_outside(one, name)


def is_inside(backup: Any) -> bool:
    """Whether a backup's location, by its record, is inside a backend's folder.

    Vanilla Cinder allows nested folders; those are inside.
    """
    container, prefix = backup.container or "", backup.service_metadata or ""
    return not (
        container.startswith("/")
        or ".." in container.split("/")
        or "/" in prefix
        or "\0" in container + prefix
    )


def _refuse_outside(backup: Any, name: str) -> None:
    if not is_inside(backup):
        raise ContainerRefused(
            f"Backup {backup.id}: its record places it in {_shown(backup.container)}, outside the "
            f"folder of backend {name}; nothing is done there. Import the record anew as it was "
            "exported."
        )


def _is_plain(container: str) -> bool:
    return (
        bool(container)
        and "/" not in container
        and not container.startswith(".")
        and container.isprintable()
    )


def _shown(container: str) -> str:
    return fitting(repr(container), _SHOWN)


def _with_ancestors(backup: Any) -> Iterator[Any]:
    yield backup
    while backup.parent_id:
        try:
            backup = backup.parent
        except exception.BackupNotFound:
            # The driver has its own error for a broken chain.
            return
        yield backup
