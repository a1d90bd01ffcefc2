# SPDX-License-Identifier: Apache-2.0
"""Many volumes attach and detach at once while 2 % of the requests fail: nothing grows.

Neither threads nor descriptors nor locks nor objects in memory, from the first round to the last;
and in the end nobody is let in.
"""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from cinder import exception

from datera_volume.connection import Cluster
from tests.faults.volumes.stage import connector
from tests.fixtures.cinder.database import threads_writing_in_turn
from tests.fixtures.faults.extent import amount, seed_of_the_run
from tests.functional.datera_volume.versions.conftest import Array, recent

__all__ = ["recent"]

VOLUMES = amount(small=4, brief=32, whole=64)
ROUNDS = amount(small=2, brief=2, whole=8)
RATE = 0.02
KINDS = ("answer", "busy", "drop", "drop_applied", "empty", "expired_token", "html", "wrong_body")
# Attempts to detach, of which each may meet several faults.
INSISTENCE = 20
# What comes and goes by itself: a connection of the database's, what a cache holds.
FEW, SOME = 8, 4_000
# As many connections as there were ever requests at once: its two ends are in this process, and the
# emulator has a thread for it.
ENDS = 2


@dataclass(frozen=True)
class Held:
    """What this process holds, after everything that is garbage was collected."""

    threads: int
    descriptors: int
    locks: int
    objects: int

    @classmethod
    def now(cls, array: Array) -> Held:
        """Look."""
        gc.collect()
        return cls(
            threading.active_count(),
            len(os.listdir("/proc/self/fd")),
            len(array.lock_files()),
            len(gc.get_objects()),
        )


@pytest.fixture
def loaded(recent: Array) -> Iterator[Array]:
    """A cluster whose driver loses no time by waiting, and logs nothing that would be kept."""
    usual = recent.driver.cluster
    recent.driver._cluster = Cluster(
        dataclasses.replace(usual.settings, busy_timeout=4.0, busy_interval=0.05)
    )
    logging.disable(logging.CRITICAL)
    try:
        with threads_writing_in_turn():
            yield recent
    finally:
        logging.disable(logging.NOTSET)
        recent.driver.cluster.close()
        recent.driver._cluster = usual


def test_nothing_grows_while_many_volumes_attach_and_detach(
    loaded: Array, tally: Callable[[str, int], None]
) -> None:
    driver, done = loaded.driver, Counter[str]()
    volumes = [loaded.volume() for _ in range(VOLUMES)]

    def tried(what: str, operation: Callable[[], Any]) -> bool:
        try:
            operation()
        except exception.CinderException:
            done[f"{what} failed"] += 1
            return False
        done[what] += 1
        return True

    def one_round(number: int) -> None:
        volume, host = volumes[number], connector(f"host{number % 8}")
        tried("attached", lambda: driver.initialize_connection(volume, host))
        for _attempt in range(INSISTENCE):
            if tried("detached", lambda: driver.terminate_connection(volume, host)):
                return
        raise AssertionError(f"{volume.id} is never detached")

    held: list[Held] = []
    with ThreadPoolExecutor(VOLUMES) as pool:
        # Every lock's file is there from its first use on, which a fault may put off.
        list(pool.map(one_round, range(VOLUMES)))
        assert done == {"attached": VOLUMES, "detached": VOLUMES}
        done.clear()
        faults = loaded.emulator.faults.random(
            dict.fromkeys(KINDS, RATE / len(KINDS)), seed=seed_of_the_run()
        )
        for _round in range(ROUNDS):
            for _ in pool.map(one_round, range(VOLUMES)):
                pass
            held.append(Held.now(loaded))
    faults.end()
    tally("attachments under load", done["attached"] + done["attached failed"])
    first, last = held[0], held[-1]
    story = f"{first} became {last}; {dict(done)}, {dict(faults.hits)}"
    assert last.threads <= first.threads + VOLUMES + FEW, story
    assert last.descriptors <= first.descriptors + ENDS * VOLUMES + FEW, story
    assert last.locks == first.locks, story
    assert last.objects <= first.objects + SOME, story
    assert done["attached"] > done["attached failed"], story
    for volume in volumes:
        _ai, storage, _inside = loaded.stored(volume)
        assert storage.initiators == [], story
        driver.delete_volume(volume)
