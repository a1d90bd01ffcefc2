# SPDX-License-Identifier: Apache-2.0
"""Which containers this process has not closed yet, and where it has looked for others' leftovers.

What is noted here is tried again by the process's next use of the cluster. For its successor the
cluster itself remembers: this host's initiator stays in the container's access list.
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
    """Note that the container has to be closed."""
    with _GUARD:
        _OPEN[os.getpid(), place].add(container)


def strike(place: Place, container: str) -> None:
    """Note that it is closed, or gone."""
    with _GUARD:
        _OPEN[os.getpid(), place].discard(container)


def noted(place: Place) -> list[str]:
    """Return the containers there that have to be closed."""
    with _GUARD:
        return sorted(_OPEN[os.getpid(), place])


def tenants(address: str) -> set[str]:
    """Return the tenants of a cluster in which a container has to be closed."""
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
    """Be as a process that has just begun."""
    with _GUARD:
        _OPEN.clear()
        _SWEPT.clear()
