# SPDX-License-Identifier: Apache-2.0
"""Who may do what to a container, and when: locks of the cloud, and locks of this host."""

from __future__ import annotations

import glob
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import fasteners
import tooz
from cinder import coordination
from oslo_concurrency import lockutils
from oslo_config import cfg
from oslo_log import log as logging

from datera_backup.clean_up import CleanUp
from datera_backup.errors import AttachFailed, ContainerBusy, ContainerGone, LockLost
from datera_backup.storage.ownership import is_held
from datera_volume.connection import growing_intervals, release_lock

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

PREFIX = "datera-backup-"

OPENING_SECONDS = 300.0
"""How long others of this host may take to open their devices before an attachment fails."""

_opening = threading.Lock()

Sleep = Callable[[float], None]
Clock = Callable[[], float]


class CloudLock:
    """A lock on one container that all hosts of the cloud respect, through Cinder's coordination.

    Hosts that share no coordination backend do not see one another's locks: more than one
    cinder-backup host needs ``[coordination] backend_url`` to name a shared service.
    """

    def __init__(self, purpose: str, container: str) -> None:
        self.container = container
        self._name = f"{PREFIX}{purpose}-{container}"
        self._lock: Any = None

    def try_acquire(self) -> bool:
        """Take the lock if that is possible at once."""
        lock = coordination.COORDINATOR.get_lock(self._name)
        if not lock.acquire(blocking=False):
            return False
        self._lock = lock
        return True

    def acquire(
        self, seconds: float, *, sleep: Sleep = time.sleep, clock: Clock = time.monotonic
    ) -> None:
        """Wait for the lock.

        :raises ContainerBusy: it could not be acquired within ``seconds``.
        """
        deadline = clock() + seconds
        for pause in growing_intervals():
            if self.try_acquire():
                return
            if clock() >= deadline:
                raise ContainerBusy(
                    f"Container {self.container} was in use by another operation for "
                    f"{seconds:.0f} seconds"
                )
            sleep(pause)

    def require(self) -> None:
        """Check that the lock is still held, as far as the coordination backend can tell.

        :raises LockLost: it is not.
        """
        lock = self._lock
        try:
            held = lock is not None and is_held(lock)
        except tooz.ToozError as unknown:
            # No answer for a moment is no loss; a lease that ends meanwhile is found the next time.
            LOG.warning("Whether lock %s is still held is unknown: %s", self._name, unknown)
            return
        if not held:
            raise self._lost()

    def release(self) -> None:
        """Release the lock; one that was not acquired is no error.

        :raises LockLost: it was no longer held.
        """
        lock, self._lock = self._lock, None
        if lock is not None and not release_lock(lock):
            raise self._lost()

    def _lost(self) -> LockLost:
        return LockLost(
            f"Lock {self._name} was lost while it was needed: the coordination backend gave it "
            f"up, and others may have written to container {self.container}"
        )

    def remove(self) -> None:
        """Remove the file of the lock.

        Only for its holder, and only if its container was deleted or never created: a process that
        waits for the old file does not see a holder of the lock by a new one.
        """
        with suppress(AttributeError):  # a coordinator without files has none to remove
            coordination.COORDINATOR.remove_lock(glob.escape(self._name))


def remove_locks(container: str) -> None:
    """Remove the files of all locks of a container that was deleted."""
    for purpose in ("write", "access"):
        CloudLock(purpose, container).remove()
    HostLock(container).remove()


def writer_lock(container: str) -> CloudLock:
    """The lock for changes of the container's contents: held for a whole backup."""
    return CloudLock("write", container)


@contextmanager
def access_lock(container: str, seconds: float, *, sleep: Sleep = time.sleep) -> Iterator[None]:
    """Hold the lock for changes of the container's access list: for a few API calls.

    If the container turns out to be deleted, the file of the lock is removed too: the deletion may
    have come before.

    :raises ContainerBusy: it could not be acquired within ``seconds``.
    """
    lock = CloudLock("access", container)
    with CleanUp(f"Access to container {container}") as clean_up:
        lock.acquire(seconds, sleep=sleep)
        clean_up.add("release its lock", lock.release)
        try:
            yield
        except ContainerGone:
            lock.remove()
            raise


class HostLock:
    """Which processes of this host use a container: they share it; the last one out has it alone.

    A process that exits releases it. POSIX locks belong to the process, so that there must be one
    object for a container in a process at a time; see :mod:`datera_backup.storage.attachments`.
    """

    def __init__(self, container: str, *, sleep: Sleep = time.sleep) -> None:
        self._path = os.path.join(lock_folder(), f"{PREFIX}users-{container}")
        self._lock = fasteners.InterProcessReaderWriterLock(self._path, sleep_func=sleep)

    def share(self, seconds: float) -> bool:
        """Become one of the users; False if another process held it alone for ``seconds``."""
        return self._kept(self._lock.acquire_read_lock(timeout=seconds, max_delay=0.1))

    def try_alone(self) -> bool:
        """Become the only user if no other process of this host is one."""
        return self._kept(self._lock.acquire_write_lock(blocking=False))

    def release(self) -> None:
        """Stop being a user."""
        self._lock.release_read_lock()

    def remove(self) -> None:
        """Remove the file, once the container is gone for good."""
        with suppress(FileNotFoundError):
            os.unlink(self._path)

    def _kept(self, gotten: bool) -> bool:
        if not gotten:
            self._lock.release_read_lock()  # closes the file, which the attempt has opened
        return gotten


@contextmanager
def opening_lock(*, sleep: Sleep = time.sleep) -> Iterator[None]:
    """Be the only thread of this host that opens a device, while the block runs.

    :raises AttachFailed: others have gone on doing so.
    """
    path = os.path.join(lock_folder(), f"{PREFIX}open")
    late = AttachFailed(
        f"Timed out after {OPENING_SECONDS:.0f} s waiting for {path}: another operation of this "
        "host is still opening its device"
    )
    # A file's lock is the process's: its threads need one besides.
    if not _opening.acquire(timeout=OPENING_SECONDS):
        raise late
    try:
        lock = fasteners.InterProcessLock(path, sleep_func=sleep)
        if not lock.acquire(timeout=OPENING_SECONDS):
            raise late
        try:
            yield
        finally:
            lock.release()
    finally:
        _opening.release()


def lock_folder() -> str:
    """Where files of locks of this host belong."""
    return str(lockutils.get_lock_path(CONF) or os.path.join(CONF.state_path, "locks"))
