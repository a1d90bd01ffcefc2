# SPDX-License-Identifier: Apache-2.0
"""Read-only checks of a backend.

Those of Cinder's own drivers are in the modules beside this one. Another driver may offer its own:
:class:`~backup_dispatch.drivers.interface.SupportsExamine`. A driver that does not is not even
instantiated: constructors mount and connect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cinder import context

from backup_dispatch import database
from backup_dispatch.drivers.interface import SupportsExamine
from backup_dispatch.drivers.offers import offered
from backup_dispatch.examination.ceph import ceph
from backup_dispatch.examination.finding import (
    Finding,
    Options,
    State,
    found,
    names_beside,
    options_of,
)
from backup_dispatch.examination.folder import glusterfs, nfs, posix
from backup_dispatch.examination.gcs import gcs
from backup_dispatch.examination.s3 import s3
from backup_dispatch.examination.swift import swift

if TYPE_CHECKING:
    from backup_dispatch.backends.configured import Backend

NOBODY = "backup-dispatch"
"""The user that drivers are created for: without one, Cinder's Swift driver does not connect."""

NEEDS_DATABASE = "The driver needs Cinder's database, so whether it works is not known."

_FOLDERS: dict[str, Callable[[Options], Iterator[Finding]]] = {
    "cinder.backup.drivers.posix.PosixBackupDriver": posix,
    "cinder.backup.drivers.nfs.NFSBackupDriver": nfs,
    "cinder.backup.drivers.glusterfs.GlusterfsBackupDriver": glusterfs,
}
_SERVERS: dict[str, Callable[[Options, dict[str, Any], Callable[[], Any]], Iterator[Finding]]] = {
    "cinder.backup.drivers.swift.SwiftBackupDriver": swift,
    "cinder.backup.drivers.s3.S3BackupDriver": s3,
    "cinder.backup.drivers.gcs.GoogleBackupDriver": gcs,
    "cinder.backup.drivers.ceph.CephBackupDriver": ceph,
}


def can_be_examined(backend: Backend) -> bool:
    """Whether there is a read-only check for this backend."""
    path = backend.class_path
    return (
        offered(backend.driver_class, SupportsExamine) is not None
        or path in _FOLDERS
        or path in _SERVERS
    )


def examine(backend: Backend) -> Iterator[Finding]:
    """Examine the backend.

    :raises Exception: whatever the driver raises; the backend is down then.
    """
    try:
        yield from _examine(backend)
    except database.ERRORS:
        # Not the backend's fault: Cinder's drivers open the database in their constructor.
        yield Finding("", State.UNKNOWN, NEEDS_DATABASE)


def _examine(backend: Backend) -> Iterator[Finding]:
    driver_class, path = backend.driver_class, backend.class_path
    if offered(driver_class, SupportsExamine) is not None:
        yield from (found(step) for step in made_for_nobody(backend).examine())
    elif path in _FOLDERS:
        yield from _FOLDERS[path](options_of(driver_class))
    elif path in _SERVERS:
        names = names_beside(driver_class)
        yield from _SERVERS[path](options_of(driver_class), names, lambda: made_for_nobody(backend))
    else:
        yield Finding(
            "that the driver loads",
            State.UNKNOWN,
            f"{path} has no method examine(), so whether it works is not known. --deep makes its "
            "own check, which may change something.",
        )


def made_for_nobody(backend: Backend) -> Any:
    """A driver object in a context without a real user."""
    return backend.make(
        context.RequestContext(NOBODY, NOBODY, is_admin=True, overwrite=False, service_catalog=[])
    )
