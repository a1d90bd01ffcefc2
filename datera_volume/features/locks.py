# SPDX-License-Identifier: Apache-2.0
"""The locks of attachments and initiators, by Cinder's coordination.

A volume's lock is acquired before an initiator's, never the other way round.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from cinder import coordination

from datera_volume.connection import (
    NotReadyInTime,
    Tenant,
    fold_iqn,
    growing_intervals,
    release_lock,
)
from datera_volume.operations.host_initiators import HostInitiators

# A lock may leave a file on disk: this many are shared by all hosts of a cloud.
INITIATOR_LOCKS = 64

SECONDS = 600.0
"""How long other operations may hold a lock before the one that waits for it fails."""

# Unlike a cluster, a lock is asked for often.
_LONGEST_PAUSE = 0.2


def attachments_lock(volume_id: str) -> Any:
    """Return the lock on the attachments of a volume."""
    return coordination.COORDINATOR.get_lock(attachments_lock_name(volume_id))


def attachments_lock_name(volume_id: str) -> str:
    """Return the name of the lock on the attachments of a volume."""
    return f"datera-attachments-{volume_id}"


@contextmanager
def held(
    lock: Any,
    what: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Hold a lock while the block runs.

    :param what: what it protects, for the error.
    :raises NotReadyInTime: others went on holding it.
    """
    acquire(lock, SECONDS, what, sleep=sleep, clock=clock)
    try:
        yield
    finally:
        release_lock(lock)


def acquire(
    lock: Any,
    seconds: float,
    what: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait for a lock.

    :raises NotReadyInTime: others went on holding it.
    """
    deadline = clock() + seconds
    for pause in growing_intervals(longest=_LONGEST_PAUSE):
        if lock.acquire(blocking=False):
            return
        if clock() >= deadline:
            raise NotReadyInTime(f"Timed out after {seconds:g} s waiting for the lock of {what}")
        sleep(pause)


def initiators() -> HostInitiators:
    """Return the initiators of hosts, each allowed or removed under its lock."""
    return HostInitiators(_initiator_lock)


def _initiator_lock(tenant: Tenant, iqn: str) -> AbstractContextManager[None]:
    number = zlib.crc32(f"{tenant.path}:{fold_iqn(iqn)}".encode()) % INITIATOR_LOCKS
    lock = coordination.COORDINATOR.get_lock(f"datera-initiators-{number}")
    return held(lock, f"initiator {iqn}")
