# SPDX-License-Identifier: Apache-2.0
"""What a process holds: memory, threads, descriptors, locks; and whether that grows."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median

PAGE = os.sysconf("SC_PAGE_SIZE")
LOCK_FILES = "*datera-backup-*"
FEWEST = 2
"""Measurements below which nothing can be said of halves."""


@dataclass(frozen=True)
class Held:
    """At one moment, with nothing under way.

    :ivar memory: resident, in bytes.
    :ivar locks: of files, that this process holds.
    :ivar lock_files: those of containers, whether or not somebody holds them.
    """

    memory: int
    threads: int
    descriptors: int
    locks: int
    lock_files: int


def held_now(lock_folders: Sequence[Path]) -> Held:
    """Measure this process."""
    gc.collect()
    # What threads have given back to their arenas is held by nobody.
    ctypes.CDLL(None).malloc_trim(0)
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    # Not by trying to lock them: a process that closes a file gives up its own locks on it.
    lines = Path("/proc/locks").read_text().splitlines()
    return Held(
        memory=resident * PAGE,
        threads=threading.active_count(),
        descriptors=len(os.listdir("/proc/self/fd")),
        locks=sum(str(os.getpid()) in line.split() for line in lines),
        lock_files=sum(len(list(folder.rglob(LOCK_FILES))) for folder in lock_folders),
    )


def growth(measured: Sequence[Held]) -> Held:
    """By how much the later half of the measurements is above the earlier one, in the middle.

    :raises ValueError: there are too few of them.
    """
    if len(measured) < FEWEST:
        raise ValueError(f"{len(measured)} measurements are no two halves")
    half = len(measured) // 2
    before, after = (
        [median(column) for column in zip(*map(astuple, part), strict=True)]
        for part in (measured[:half], measured[-half:])
    )
    return Held(*(int(late - early) for early, late in zip(before, after, strict=True)))
