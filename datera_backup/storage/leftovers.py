# SPDX-License-Identifier: Apache-2.0
"""Containers that this process still has to detach, and tenants already searched for leftovers.

They are retried by the process's next use of the cluster. After a restart the cluster itself shows
them: this host's initiator is still in the container's access list.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from typing import NamedTuple


class Place(NamedTuple):
    """A tenant of a cluster, which is known by its host and port."""

    address: str
    tenant: str


_GUARD = threading.Lock()
_OPEN: defaultdict[tuple[int, Place], set[str]] = defaultdict(set)
_SWEPT: set[tuple[int, Place]] = set()


def note(place: Place, container: str) -> None:
    """Record that the container has to be detached."""
    with _GUARD:
        _OPEN[os.getpid(), place].add(container)


def strike(place: Place, container: str) -> None:
    """Record that it is detached, or deleted."""
    with _GUARD:
        _OPEN[os.getpid(), place].discard(container)


def noted(place: Place) -> list[str]:
    """Return the containers there that have to be detached."""
    with _GUARD:
        return sorted(_OPEN[os.getpid(), place])


def tenants(address: str) -> set[str]:
    """Return the tenants of a cluster in which a container has to be detached."""
    with _GUARD:
        return {
            place.tenant
            for (pid, place), containers in _OPEN.items()
            if containers and (pid, place.address) == (os.getpid(), address)
        }


def begin_sweep(place: Place) -> bool:
    """Whether the caller is the first in this process to look for leftovers there."""
    key = (os.getpid(), place)
    with _GUARD:
        first = key not in _SWEPT
        _SWEPT.add(key)
    return first


def repeat_sweep(place: Place) -> None:
    """Let the next use of the place look for leftovers again."""
    with _GUARD:
        _SWEPT.discard((os.getpid(), place))


def forget_all() -> None:
    """Reset all state of this process."""
    with _GUARD:
        _OPEN.clear()
        _SWEPT.clear()
