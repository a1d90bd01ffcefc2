# SPDX-License-Identifier: Apache-2.0
"""What this process has of each container: who uses it here, and the device that they share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from datera_backup.storage.host import Connected, Initiator
from datera_backup.storage.leftovers import Place
from datera_backup.storage.locks import HostLock
from datera_volume.connection import AppInstance

_GUARD = threading.Lock()
_USES: dict[tuple[Place, str], Use] = {}


@dataclass
class Use:
    """How this process uses one container.

    :ivar mutex: held while any of the rest is changed.
    :ivar users: operations that have its device open.
    :ivar interested: threads that hold this object, or wait for its mutex.
    :ivar found: the container as it was when this process attached it.
    """

    mutex: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    interested: int = 0
    host_lock: HostLock | None = None
    initiator: Initiator | None = None
    connected: Connected | None = None
    found: AppInstance | None = None


@contextmanager
def use_of(place: Place, container: str) -> Iterator[Use]:
    """Hand out the one object of a container, its mutex held, while the block runs."""
    key = (place, container)
    with _GUARD:
        use = _USES.setdefault(key, Use())
        use.interested += 1
    try:
        with use.mutex:
            yield use
    finally:
        with _GUARD:
            use.interested -= 1
            if not use.interested and not use.users:
                _USES.pop(key, None)
