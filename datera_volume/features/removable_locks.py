# SPDX-License-Identifier: Apache-2.0
"""Coordination locks whose files can be removed while other processes wait for them.

With file-based coordination, a lock is a file that stays until it is removed. A process that was
waiting for it would then hold a deleted file, and exclude nobody: so after acquiring a lock its
file is compared with the one of that name.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cinder import coordination


@contextmanager
def held(name: str) -> Iterator[None]:
    """Hold a lock while the block runs, waiting for it without a timeout."""
    lock = _acquired(name, blocking=True)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def held_if_free(name: str) -> Iterator[bool]:
    """Hold a lock while the block runs if it is free; yield whether it was."""
    lock = _acquired(name, blocking=False)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()


def remove(name: str) -> None:
    """Remove the file of a lock; only its holder may do so."""
    coordination.COORDINATOR.remove_lock(glob.escape(name))


def _acquired(name: str, *, blocking: bool) -> Any:
    while True:
        lock = coordination.COORDINATOR.get_lock(name)
        if not lock.acquire(blocking=blocking):
            return None
        if not _lost_its_file(lock):
            return lock
        lock.release()


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
