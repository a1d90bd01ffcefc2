# SPDX-License-Identifier: Apache-2.0
"""Keeps drivers whose containers are folders inside their own folder.

Cinder's posix driver, and nfs and glusterfs with it, joins its path and the container's name, which
is a user's word (``--container``) or an imported record's. With ``../west/mine`` it would write
into, read from and delete in the folder of another backend.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cinder import exception

from backup_dispatch.errors import ContainerRefused, fitting

FOLDER_DRIVER = "cinder.backup.drivers.posix.PosixBackupDriver"

_SHOWN = 60
"""Characters of a container's name in a message, so that the remedy has room."""


def keeps_folders(driver: Any) -> bool:
    """Whether the driver, an object or a class, is Cinder's posix driver or one built on it.

    By name: a backend with a section of its own has a copy of that class.
    """
    driver_class = driver if isinstance(driver, type) else type(driver)
    return any(
        f"{base.__module__}.{base.__qualname__}" == FOLDER_DRIVER for base in driver_class.__mro__
    )


def refuse_new(driver: Any, backup: Any, name: str) -> None:
    """Refuse a new backup whose container a user named so that it is no folder of its own.

    :param name: the backend's.
    :raises ContainerRefused: for that, or because the parent to read from is not in the backend.
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
    """Refuse to touch what a record places outside the backend's own folder.

    :param backup: an incremental's ancestors are looked at too.
    :param name: the backend's.
    :raises ContainerRefused: the record, or an ancestor's, does so.
    """
    if keeps_folders(driver):
        for one in _with_ancestors(backup):
            _refuse_outside(one, name)


def is_inside(backup: Any) -> bool:
    """Whether what the record says of a backup's place stays inside a backend's folder.

    Vanilla Cinder lets users name nested folders; those are inside.
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
            # The driver has its own words for a chain that is broken.
            return
        yield backup
