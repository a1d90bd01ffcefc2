# SPDX-License-Identifier: Apache-2.0
"""A chain of hourly backups: ``python -m bench.hourly [--backups N] [--directory DIR]``.

A small volume of which one block changes each hour is backed up by the driver's container layer,
each time on the backup before, without one being forgotten: 90,000 are ten years of hours. A full
container is followed by a new one. Told is, for each tenth of them, what opening a container (once
a day), finding the parent and storing the backup took, and how much memory and room; at the end
some backups, the first and the last among them, are read back and held against the volume.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from uuid import UUID

from bench.datera_steps import allocated
from bench.measuring.interruption import unless_interrupted
from datera_backup.container import (
    BackupReader,
    Codec,
    Container,
    ContainerFull,
    Digest,
    FileDevice,
    Geometry,
    NewBackup,
)
from datera_backup.container.device import read

BLOCKS = 256
GEOMETRY = Geometry(block_size=4096, chunk_size=64 * 4096, digest=Digest.SHA256)
DEVICE_SIZE = 16 << 30
"""Bytes of a container's device, a sparse file."""
COMPARED = 100
"""Backups that are read back at the end."""
DAY = 24
"""Backups after which the container is reopened."""
TENTHS = 10
FIGURES = ("opening", "slowest opening", "finding the parent", "storing")


class Chain:
    """The backups taken so far, and the containers that hold them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._devices: list[FileDevice] = []
        self._homes: list[int] = []
        self._home: Container | None = None
        self.opening: list[float] = []
        self.finding: list[float] = []
        self.storing: list[float] = []
        """Seconds of each call since this was last cleared."""

    @property
    def containers(self) -> int:
        """The number of containers."""
        return len(self._devices)

    def _open(self, number: int) -> Container:
        return Container.open(self._devices[number], _container_id(number))

    def _add(self) -> Container:
        number = len(self._devices)
        path = self._folder / f"container-{number}"
        with path.open("wb") as file:
            file.truncate(DEVICE_SIZE)
        self._devices.append(FileDevice(path))
        return Container.format(self._devices[-1], _container_id(number))

    def close(self) -> None:
        """Close the devices."""
        for device in self._devices:
            device.close()

    def store(self, number: int) -> None:
        """Take backup ``number``: find the parent, write what changed; reopen first once a day."""
        at = time.perf_counter()
        if self._home is None:
            self._home = self._add()
        elif number % DAY == 0:
            self._home = self._open(len(self._devices) - 1)
            self.opening.append(time.perf_counter() - at)
        at = time.perf_counter()
        parent = self.reader(number - 1, self._home) if number else None
        found = time.perf_counter()
        try:
            self._write(self._home, number, parent)
        except ContainerFull:
            self._home = self._add()
            self._write(self._home, number, parent)
        self._homes.append(len(self._devices) - 1)
        self.finding.append(found - at)
        self.storing.append(time.perf_counter() - found)

    def reader(self, number: int, home: Container | None = None) -> BackupReader:
        """Return a reader of a backup, with the older containers open that have blocks of it."""
        at = self._homes[number]
        mine = home if home is not None and at == len(self._devices) - 1 else self._open(at)
        reader = BackupReader(mine, _backup_id(number))
        others = [one.int - 1 for one in reader.commit.containers if one != mine.id]
        return BackupReader(mine, _backup_id(number), [self._open(one) for one in others])

    def _write(self, home: Container, number: int, parent: BackupReader | None) -> None:
        size = BLOCKS * GEOMETRY.block_size
        new = NewBackup(_backup_id(number), "a volume", size, GEOMETRY)
        writer = home.begin(new, living=home.committed, parent=parent)
        for at in range(BLOCKS):
            chunk_number, place = divmod(at, GEOMETRY.blocks_per_chunk)
            if parent is not None and at != number % BLOCKS:
                chunk = parent.inheritable(chunk_number)
                if chunk is None:
                    raise AssertionError(f"backup {number - 1} has no chunk {chunk_number}")
                writer.inherit(chunk, place)
            else:
                block = _block(at, number)
                writer.store(hashlib.sha256(block).digest(), Codec.RAW, block)
        writer.commit()

    def compare(self, number: int) -> None:
        """Read a backup and compare it with the volume's content of that hour."""
        reader = self.reader(number)
        reader.require_all()
        for at in range(BLOCKS):
            chunk_number, place = divmod(at, GEOMETRY.blocks_per_chunk)
            chunk = reader.chunk(chunk_number)
            if chunk is None:
                raise AssertionError(f"backup {number} has no chunk {chunk_number}")
            where = chunk.location(place)
            device = reader.devices[chunk.containers[where.container]]
            if read(device, where.offset, where.length) != _block(at, _written(at, number)):
                raise AssertionError(f"block {at} of backup {number} is not what was stored")


def _container_id(number: int) -> UUID:
    return UUID(int=number + 1)


def _backup_id(number: int) -> UUID:
    return UUID(int=(1 << 64) + number)


def _written(at: int, number: int) -> int:
    # The full backup writes all blocks; backup n after it the block n modulo BLOCKS.
    last = number - (number - at) % BLOCKS
    return max(last, 0)


def _block(at: int, number: int) -> bytes:
    return hashlib.sha256(f"{at} {number}".encode()).digest() * (GEOMETRY.block_size // 32)


def measure(folder: Path, backups: int) -> None:
    """Take the backups, report each tenth, read some back."""
    with closing(Chain(folder)) as chain:
        _measure(chain, folder, backups)


def _measure(chain: Chain, folder: Path, backups: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"| backups | containers | {' | '.join(FIGURES)} | memory added | bytes a backup |")
    print(f"|{'---|' * (len(FIGURES) + 4)}")
    held = 0
    for tenth in range(TENTHS):
        numbers = range(backups * tenth // TENTHS, backups * (tenth + 1) // TENTHS)
        chain.opening, chain.finding, chain.storing = [], [], []
        for number in numbers:
            chain.store(number)
        now = allocated(folder)
        added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        times = (
            median(chain.opening),
            max(chain.opening),
            median(chain.finding),
            median(chain.storing),
        )
        told = [
            str(numbers[-1] + 1),
            str(chain.containers),
            *(f"{1e3 * one:.1f} ms" for one in times),
        ]
        told += [f"{added:.0f} MiB", str((now - held) // len(numbers))]
        print(f"| {' | '.join(told)} |", flush=True)
        held = now
    compared = sorted({0, backups - 1, *range(0, backups, -(-backups // COMPARED))})
    for number in compared:
        chain.compare(number)
    print(
        f"\n{len(compared)} backups were read back, the first and the last among them: all right."
    )


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(prog="python -m bench.hourly", description=__doc__)
    parser.add_argument("--backups", type=int, default=90_000, metavar="N")
    parser.add_argument("--directory", type=Path, help="working directory (default: TMPDIR)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)

    def run() -> int:
        with tempfile.TemporaryDirectory(prefix="hourly-", dir=options.directory) as name:
            measure(Path(name), options.backups)
        return 0

    return unless_interrupted(run)


if __name__ == "__main__":
    sys.exit(main())
