# SPDX-License-Identifier: Apache-2.0
"""What can be found out about a backend without changing anything.

Of Cinder's own drivers this is known in the modules beside this one. Another driver
may offer it as a method::

    examine() -> Iterable[tuple[str, str, str]]

Each tuple is one thing that was looked at: a noun for it (``login``); one of the words ``up``,
``warn``, ``unknown``, ``unwritable`` (no backup can be made, what is there can be restored) and
``down``; and, unless it is up, one line that says what is wrong, where, and how to mend it. It must
change nothing, neither at the backend nor on this host, and wait seconds and not minutes. What it
raises means that the backend is down. It may be a generator: what it yielded before it hung or
raised is told.

A driver that does not offer it is not even made: constructors mount and connect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cinder import context

from backup_dispatch import database
from backup_dispatch.examination.ceph import ceph
from backup_dispatch.examination.finding import Finding, Options, State, names_beside, options_of
from backup_dispatch.examination.folder import glusterfs, nfs, posix
from backup_dispatch.examination.gcs import gcs
from backup_dispatch.examination.s3 import s3
from backup_dispatch.examination.swift import swift

if TYPE_CHECKING:
    from backup_dispatch.backends.configured import Backend

NOBODY = "backup-dispatch"
"""Whom drivers are made for: Cinder's Swift driver prepares no connection without a user."""

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
    """Whether there is a way to look at this backend that changes nothing."""
    path = backend.class_path
    return hasattr(backend.driver_class, "examine") or path in _FOLDERS or path in _SERVERS


def examine(backend: Backend) -> Iterator[Finding]:
    """Look at the backend.

    :raises Exception: whatever the driver raises; the backend is down then.
    """
    try:
        yield from _examine(backend)
    except database.ERRORS:
        # Not the backend's fault: Cinder's drivers open the database as they are made.
        yield Finding("", State.UNKNOWN, NEEDS_DATABASE)


def _examine(backend: Backend) -> Iterator[Finding]:
    driver_class, path = backend.driver_class, backend.class_path
    if hasattr(driver_class, "examine"):
        for subject, word, text in made_for_nobody(backend).examine():
            yield Finding(subject, State[word.upper()], text)
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
    """A driver object in the context of no real user."""
    return backend.make(
        context.RequestContext(NOBODY, NOBODY, is_admin=True, overwrite=False, service_catalog=[])
    )
