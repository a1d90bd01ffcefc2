# SPDX-License-Identifier: Apache-2.0
"""What was measured, and on what.

``python -m bench.measuring.machine SIZE`` makes its memory ready.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

MEMORY = 2
"""Memory made ready before each step, in multiples of the image's size: a store and a process."""
_PACKAGES = ("backup-dispatch", "cinder", "zstandard", "zstd", "blake3", "eventlet")


def describe(folder: Path) -> dict[str, str]:
    """Return what a reader of the figures must know about the machine, by name."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores that may be used": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) >> 20} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "everything lies on": _filesystem(folder),
        "load when it began": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that do the work."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def make_ready(size: int) -> None:
    """Use ``size`` bytes of memory once and free them, or half of the free memory if less.

    A virtual machine's memory is slow at first use: until then its host has not allocated it, and
    many hosts reclaim free memory within seconds. The first peer would be slowed for all others,
    and one that starts slowly by its start: so the measurement begins right after this.
    """
    free = int(_field("/proc/meminfo", "MemAvailable").split()[0]) << 10
    size = min(size, free // 2)
    with mmap.mmap(-1, size) as memory:
        with contextlib.suppress(OSError):  # Without huge pages it only takes longer.
            memory.madvise(mmap.MADV_HUGEPAGE)
        memory[:: mmap.PAGESIZE] = bytes(-(-size // mmap.PAGESIZE))


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _filesystem(folder: Path) -> str:
    where, kind = Path("/"), "?"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        point = Path(line.split()[1])
        if folder.is_relative_to(point) and len(point.parts) >= len(where.parts):
            where, kind = point, line.split()[2]
    return kind


if __name__ == "__main__":
    make_ready(int(sys.argv[1]))
