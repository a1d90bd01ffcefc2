# SPDX-License-Identifier: Apache-2.0
"""Who may do what to a container, and when: locks of the cloud, and locks of this host."""

from __future__ import annotations

import glob
import os
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

from datera_backup.errors import ContainerBusy, ContainerGone, LockLost
from datera_backup.undo import Undo

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

PREFIX = "datera-backup-"
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 2.0

Sleep = Callable[[float], None]
Clock = Callable[[], float]


def pauses(first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> Iterator[float]:
    """Seconds to wait between one look and the next: short at first, growing up to ``longest``."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 1.5, longest)


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

        :raises ContainerBusy: it was not to be had within ``seconds``.
        """
        deadline = clock() + seconds
        for pause in pauses():
            if self.try_acquire():
                return
            if clock() >= deadline:
                raise ContainerBusy(
                    f"Container {self.container} was in use by another operation for "
                    f"{seconds:.0f} seconds"
                )
            sleep(pause)

    def require(self) -> None:
        """Look whether the lock is still held, as far as the coordination backend can tell.

        :raises LockLost: it is not.
        """
        lock = self._lock
        try:
            held = lock is not None and lock.is_still_owner()
        except tooz.NotImplemented:
            held = getattr(lock, "acquired", True)
        except tooz.ToozError as unknown:
            # No answer for a moment is no loss; a lease that ends meanwhile is found the next time.
            LOG.warning("Whether lock %s is still held is unknown: %s", self._name, unknown)
            return
        if not held:
            raise self._lost()

    def release(self) -> None:
        """Give the lock back; one that was not taken is no error.

        :raises LockLost: it was not held any more.
        """
        lock, self._lock = self._lock, None
        if lock is not None and lock.release() is False:
            raise self._lost()

    def _lost(self) -> LockLost:
        return LockLost(
            f"Lock {self._name} was lost while it was needed: the coordination backend gave it "
            f"up, and others may have written to container {self.container}"
        )

    def remove(self) -> None:
        """Remove what the lock leaves on disk.

        For whoever holds it, and only where its container is gone for good or was never made: one
        that waits for the old file does not see who takes the lock by a new one.
        """
        with suppress(AttributeError):  # a coordinator without files has none to remove
            coordination.COORDINATOR.remove_lock(glob.escape(self._name))


def remove_locks(container: str) -> None:
    """Remove what all locks of a container leave on disk, once it is gone for good."""
    for purpose in ("write", "access"):
        CloudLock(purpose, container).remove()
    HostLock(container).remove()


def writer_lock(container: str) -> CloudLock:
    """The lock of whoever changes what stands in the container: held for a whole backup."""
    return CloudLock("write", container)


@contextmanager
def access_lock(container: str, seconds: float, *, sleep: Sleep = time.sleep) -> Iterator[None]:
    """Hold the lock of whoever changes who can reach the container: a few API calls long.

    Where they find the container gone, what the lock leaves on disk goes too: whoever deleted the
    container may have been here before.

    :raises ContainerBusy: it was not to be had within ``seconds``.
    """
    lock = CloudLock("access", container)
    with Undo(f"Access to container {container}") as undo:
        lock.acquire(seconds, sleep=sleep)
        undo.add("release its lock", lock.release)
        try:
            yield
        except ContainerGone:
            lock.remove()
            raise


class HostLock:
    """Which processes of this host use a container: they share it; the last one out has it alone.

    A process that dies gives it back. POSIX locks belong to the process, so that there must be one
    object for a container in a process at a time; see :mod:`datera_backup.attachment`.
    """

    def __init__(self, container: str, *, sleep: Sleep = time.sleep) -> None:
        self._path = os.path.join(lock_folder(), f"{PREFIX}users-{container}")
        self._lock = fasteners.InterProcessReaderWriterLock(self._path, sleep_func=sleep)

    def share(self, seconds: float) -> bool:
        """Become one of the users; False if another process did not let go within ``seconds``."""
        return self._kept(self._lock.acquire_read_lock(timeout=seconds, max_delay=0.1))

    def try_alone(self) -> bool:
        """Become the only user if no other process of this host is one."""
        return self._kept(self._lock.acquire_write_lock(blocking=False))

    def release(self) -> None:
        """Be a user no longer."""
        self._lock.release_read_lock()

    def remove(self) -> None:
        """Remove the file, once the container is gone for good."""
        with suppress(FileNotFoundError):
            os.unlink(self._path)

    def _kept(self, gotten: bool) -> bool:
        if not gotten:
            self._lock.release_read_lock()  # closes the file, which the attempt has opened
        return gotten


def lock_folder() -> str:
    """Where files of locks of this host belong."""
    return str(lockutils.get_lock_path(CONF) or os.path.join(CONF.state_path, "locks"))
