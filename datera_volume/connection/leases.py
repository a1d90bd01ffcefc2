# SPDX-License-Identifier: Apache-2.0
"""Locks of Cinder's coordination that are leased, as in etcd and Redis, and how they end."""

from __future__ import annotations

from typing import Any


def release_lock(lock: Any) -> bool:
    """Release a lock, and return whether it was held until now.

    One that cannot be released, because the backend does not answer just then, ends with its lease.
    tooz would go on renewing that for as long as the process lives: nobody could have the lock.
    """
    held = False
    try:
        held = lock.release() is not False
    finally:
        if not held:
            renewed = getattr(getattr(lock, "_coord", None), "_acquired_locks", None)
            if isinstance(renewed, set):
                renewed.discard(lock)
    return held
