# SPDX-License-Identifier: Apache-2.0
"""Whether a backend stores and returns data: one small object, written, read and deleted.

Cinder's chunked drivers write it in the way that they write backups; for Ceph it is an object in
the pool. Another driver may offer its own:
:class:`~backup_dispatch.drivers.interface.SupportsTryOut`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from backup_dispatch import database
from backup_dispatch.drivers.families import is_ceph, is_chunked
from backup_dispatch.drivers.interface import SupportsTryOut
from backup_dispatch.drivers.offers import offered
from backup_dispatch.examination.backends import (
    NEEDS_DATABASE,
    can_be_examined,
    made_for_nobody,
)
from backup_dispatch.examination.ceph import wait_no_longer
from backup_dispatch.examination.containers import StoreContainer
from backup_dispatch.examination.finding import Finding, State, found, options_of, told_by
from backup_dispatch.examination.swift import SINGLE_USER

if TYPE_CHECKING:
    from backup_dispatch.backends.configured import Backend

PREFIX = "backup-dispatch-check-"
SIZE = 4096
SUBJECT = "small object"

_SWIFT = "cinder.backup.drivers.swift.SwiftBackupDriver"


def try_out(backend: Backend) -> Iterator[Finding]:
    """Write a small object, read it back, compare it, and delete it.

    Can be interrupted like the caller itself: the object is removed before the interruption is
    passed on.

    :raises Exception: the driver cannot even be instantiated.
    """
    try:
        yield from _try_out(backend)
    except database.ERRORS:
        # As when it is examined: not the backend's fault.
        yield Finding(SUBJECT, State.UNKNOWN, NEEDS_DATABASE)


def _try_out(backend: Backend) -> Iterator[Finding]:
    if written_as_each_user(backend):
        where = options_of(backend.driver_class).set_to("backup_swift_auth")
        text = (
            f"{where}: objects are written with the token of whoever asks for a backup, and there "
            "is none here; whether they can be written is not known. Make a backup and see."
        )
        yield Finding(SUBJECT, State.UNKNOWN, text)
        return
    driver = made_for_nobody(backend)
    if not can_be_examined(backend):
        driver.check_for_setup_error()
        yield Finding("its own check")
    trying = offered(driver, SupportsTryOut)
    if trying is not None:
        yield from (found(step) for step in trying.try_out())
    elif is_chunked(driver):
        yield _tried(_ChunkedDrivers(driver))
    elif is_ceph(driver):
        yield _tried(_Rados(driver))
    else:
        text = (
            f"{backend.class_path} has no method try_out(), so whether it takes data is not known. "
            "Make a backup and see."
        )
        yield Finding(SUBJECT, State.UNKNOWN, text)


def written_as_each_user(backend: Backend) -> bool:
    """Whether its backups are read and written with the token of the user who asks."""
    if backend.class_path != _SWIFT:
        return False
    return bool(options_of(backend.driver_class)["backup_swift_auth"] != SINGLE_USER)


class _ChunkedDrivers:
    """An object of one of Cinder's chunked drivers."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._name = PREFIX + str(uuid4())
        # posix, nfs and glusterfs have a folder for each backup.
        self._container = StoreContainer(driver, driver.backup_default_container or self._name)
        self.place = f"{self._name} in {self._container.name}"

    def write(self, data: bytes) -> None:
        self._container.make()
        with self._driver.get_object_writer(self._container.name, self._name) as writer:
            writer.write(data)

    def read(self) -> bytes:
        with self._driver.get_object_reader(self._container.name, self._name) as reader:
            return bytes(reader.read())

    def remove(self) -> None:
        if self._container.is_there():
            self._driver.delete_object(self._container.name, self._name)
            self._container.remove_if_made()

    def absent(self) -> bool:
        return not self._container.is_there() or not list(
            self._driver.get_container_entries(self._container.name, self._name)
        )


class _Rados:
    """An object in the pool of Cinder's Ceph driver."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._name = PREFIX + str(uuid4())
        self.place = f"{self._name} in pool {driver._ceph_backup_pool}"

    def write(self, data: bytes) -> None:
        self._in_pool("write_full", data)

    def read(self) -> bytes:
        return bytes(self._in_pool("read", SIZE + 1))

    def remove(self) -> None:
        self._in_pool("remove_object")

    def absent(self) -> bool:
        try:
            self._in_pool("stat")
        except self._driver.rados.ObjectNotFound:
            return True
        return False

    def _in_pool(self, call: str, *arguments: Any) -> Any:
        client, pool = self._driver._connect_to_rados()
        # While Ceph's client waits, the command does not react to signals.
        wait_no_longer(self._driver, client)
        try:
            return getattr(pool, call)(self._name, *arguments)
        finally:
            self._driver._disconnect_from_rados(client, pool)


def _tried(small: _ChunkedDrivers | _Rados) -> Finding:
    data = os.urandom(SIZE)
    failure = ""
    residue: str | None = None
    doing = "written"
    try:
        small.write(data)
        doing = "read back"
        if small.read() != data:
            failure = f"{small.place} reads back other bytes than were written"
    except Exception as error:
        failure = f"{small.place} could not be {doing}: {told_by(error)}"
    finally:
        residue = _removed(small)
    text = ". ".join(one for one in (failure, residue) if one)
    return Finding(SUBJECT, State.UNWRITABLE if text else State.UP, f"{text}." if text else "")


def _removed(small: _ChunkedDrivers | _Rados) -> str:
    """Remove it, and report what is left if that fails; an object never created is not an error."""
    try:
        small.remove()
    except Exception as error:
        try:
            if small.absent():
                return ""
        except Exception:
            return f"Whether {small.place} is left there is not known ({told_by(error)}): look"
        return f"{small.place} could not be removed: {told_by(error)}. Remove it"
    return ""
