# SPDX-License-Identifier: Apache-2.0
"""What the interpreter's lock bounds: ``python -m bench.held [--size 16G] [--at-once 1 4]``.

Digests, compression, devices and volumes are stubs that cost next to nothing, so that what is left
of a backup or a restore is what Python does for each block. That runs under the interpreter's lock,
one thread at a time, however many cores there are: its processor time bounds a process's speed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any
from unittest import mock
from uuid import UUID

from bench.measuring.interruption import unless_interrupted
from bench.measuring.sizes import size_of
from datera_backup.container import (
    BackupReader,
    Codec,
    Container,
    FileDevice,
    Geometry,
    NewBackup,
    worst_case,
)
from datera_backup.container.device import Buffer
from datera_backup.container.format import codec
from datera_backup.container.format.geometry import LOG_START
from datera_backup.engine import BackupJob, EngineSettings, Job, RestoreJob
from datera_backup.engine.sink import NullSink

GIB = 1 << 30
STEPS = ("full", "unchanged", "restore")
_BLOCK = Geometry().block_size
_DIGEST = bytes(range(32))
_PLAIN = bytes([1]) * _BLOCK
_STORED = _PLAIN[: _BLOCK * 5 // 8]
_MOST_METADATA = 256 << 10
"""Bytes; a longer read is one of blocks."""
_HEAD = 4
"""Parts of a write among which a block is found, if it is a segment."""


class FreeVolume:
    """A volume full of data; a buffer that was read into once holds it already."""

    def __init__(self, size: int) -> None:
        self.size = size

    def readinto(self, _offset: int, buffer: memoryview) -> None:
        """Fill a buffer that is new."""
        if not buffer[0]:
            buffer[:] = (_PLAIN * -(-len(buffer) // _BLOCK))[: len(buffer)]

    def extents(self) -> Iterator[tuple[int, int]]:
        """All of it."""
        yield 0, self.size


class FreeDevice(FileDevice):
    """A container's device that keeps its metadata and no blocks."""

    def pread(self, offset: int, buffer: memoryview) -> None:
        """Read metadata; blocks are left as they are."""
        if len(buffer) < _MOST_METADATA:
            super().pread(offset, buffer)

    def pwrite(self, offset: int, *buffers: Buffer) -> None:
        """Write metadata; segments are not written."""
        if not any(part is _STORED for part in buffers[:_HEAD]):
            super().pwrite(offset, *buffers)


def _free_compressor(_codec: Codec, level: int) -> codec.Compressor:
    compressor = codec._Zstd(level)
    compressor._compress = lambda data: _STORED if data else b""
    return compressor


class _FreeDecompressor(codec.Decompressor):
    def _unpack_zstd(self, _stored: Buffer, length: int) -> bytes:
        return _PLAIN[:length]


@contextmanager
def free() -> Iterator[None]:
    """Let digests and compression cost nothing while the block runs."""

    def digest_function(_digest: object) -> Callable[[Buffer], bytes]:
        return lambda _data: _DIGEST

    engine = "datera_backup.engine"
    with ExitStack() as stack:
        for target, stub in (
            (f"{engine}.backup.digest_function", digest_function),
            (f"{engine}.verifier.digest_function", digest_function),
            (f"{engine}.backup.compressor", _free_compressor),
            (f"{engine}.verifier.Decompressor", _FreeDecompressor),
        ):
            stack.enter_context(mock.patch(target, stub))
        yield


class Chain:
    """A container with a full backup of a volume, and one of the same volume unchanged."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        with path.open("wb") as file:
            file.truncate(LOG_START + 3 * worst_case(size, Geometry()))
        self._container = Container.format(FreeDevice(path), UUID(int=1))

    def job(self, step: str) -> Job[Any]:
        """Return what takes the next step."""
        home, settings = self._container, EngineSettings()
        if step == "restore":
            backup = BackupReader(home, home.committed[-1])
            return RestoreJob(backup, NullSink(self._size), write_zeros=False, settings=settings)
        number = len(home.committed)
        parent = BackupReader(home, UUID(int=number)) if number else None
        new = NewBackup(UUID(int=number + 1), "a volume", self._size, Geometry())
        writer = home.begin(new, living=home.committed, parent=parent)
        return BackupJob(FreeVolume(self._size), writer, settings)


@dataclass(frozen=True)
class Held:
    """Processor seconds for each GiB.

    :ivar python: in the process itself, under the interpreter's lock.
    :ivar system: in the system: waiting and waking of threads, mostly beside the lock.
    """

    python: float
    system: float


def measure(folder: Path, size: int, at_once: int) -> dict[str, Held]:
    """Return what each step takes, of so many jobs at once."""
    with free():
        chains = [Chain(folder / f"{at_once}-{number}", size) for number in range(at_once)]
        return {step: _held([chain.job(step) for chain in chains], size) for step in STEPS}


def _held(jobs: Sequence[Job[Any]], size: int) -> Held:
    before = getrusage(RUSAGE_SELF)
    for job in jobs:
        job.start()
    for job in jobs:
        job.result()
    after = getrusage(RUSAGE_SELF)
    moved = size * len(jobs) / GIB
    return Held(
        (after.ru_utime - before.ru_utime) / moved, (after.ru_stime - before.ru_stime) / moved
    )


def table(found: dict[int, dict[str, Held]]) -> str:
    """Return it as Markdown; the last column is the bound if the system's part were held too."""
    lines = [
        "| at once | step | seconds in Python | … in the system | bound | … of both together |",
        f"|{'---|' * 6}",
    ]
    lines += [
        f"| {at_once} | {step} | {held.python:.3f} | {held.system:.3f} | "
        f"{1 / held.python:.1f} GiB/s | {1 / (held.python + held.system):.1f} GiB/s |"
        for at_once, steps in found.items()
        for step, held in steps.items()
    ]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(prog="python -m bench.held", description=__doc__)
    parser.add_argument("--size", type=size_of, default=16 * GIB, metavar="SIZE")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 4], metavar="N")
    parser.add_argument("--directory", type=Path, help="working directory (default: TMPDIR)")
    parser.add_argument("-f", "--format", choices=["table", "json"], default="table")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parser().parse_args(arguments)

    def run() -> int:
        with tempfile.TemporaryDirectory(prefix="held-", dir=options.directory) as name:
            found = {n: measure(Path(name), options.size, n) for n in options.at_once}
        plain = {
            n: {step: asdict(held) for step, held in steps.items()} for n, steps in found.items()
        }
        print(json.dumps(plain) if options.format == "json" else table(found))
        return 0

    return unless_interrupted(run)


if __name__ == "__main__":
    sys.exit(main())
