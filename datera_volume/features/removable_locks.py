# SPDX-License-Identifier: Apache-2.0
"""Coordination locks whose files can be removed while other processes wait for them.

With file-based coordination, a lock is a file that stays until it is removed. A process that was
waiting for it would then hold a deleted file, and exclude nobody: so after acquiring a lock its
file is compared with the one of that name.
"""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from cinder import coordination

from datera_volume.connection import growing_intervals, release_lock


@contextmanager
def held(
    name: str,
    seconds: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[bool]:
    """Hold a lock while the block runs; yield whether others gave it back within ``seconds``."""
    deadline = clock() + seconds
    pauses = growing_intervals()
    while (lock := _acquired(name)) is None and clock() < deadline:
        sleep(next(pauses))
    try:
        yield lock is not None
    finally:
        if lock is not None:
            release_lock(lock)


def held_if_free(name: str) -> AbstractContextManager[bool]:
    """Hold a lock while the block runs if it is free; yield whether it was."""
    return held(name, 0)


def remove(name: str) -> None:
    """Remove the file of a lock; only its holder may do so."""
    coordination.COORDINATOR.remove_lock(glob.escape(name))


def _acquired(name: str) -> Any:
    lock = coordination.COORDINATOR.get_lock(name)
    while lock.acquire(blocking=False):
        if not _lost_its_file(lock):
            return lock
        release_lock(lock)
    return None


def _lost_its_file(lock: Any) -> bool:
    # Only the locks of tooz's file driver have these attributes; others leave no file.
    inner = getattr(lock, "_lock", None)
    file = getattr(inner, "lockfile", None)
    if inner is None or file is None:
        return False
    try:
        return not os.path.samestat(os.fstat(file.fileno()), os.stat(inner.path))
    except FileNotFoundError:
        return True
