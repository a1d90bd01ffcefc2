# SPDX-License-Identifier: Apache-2.0
"""Disk images for measurements: the same bytes for the same seed, on any machine."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

MIB = 1 << 20
RUN = MIB
"""Bytes of a run; an image consists of runs, each of one kind of data."""
CHANGE = 64 << 10
"""Bytes of one change, aligned to this size."""
NOISE_SHARE = 0.25
TEXT_SHARE = 0.35
_TEXTS = 64


class Content:
    """Generates the runs: a quarter noise, a third text, the rest zeros."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        letters = b"abcdefghijklmnopqrstuvwxyz"
        self._words = [
            bytes(self._random.choices(letters, k=self._random.randint(3, 9))) for _ in range(4000)
        ]
        self._texts: dict[int, bytes] = {}

    def _text(self, number: int) -> bytes:
        """Random words of one vocabulary, with numbers in between."""
        if number not in self._texts:
            own = random.Random(f"{self._seed} {number}")
            text = bytearray()
            while len(text) < RUN:
                text += b"%b %d " % (own.choice(self._words), own.randrange(100_000))
            self._texts[number] = bytes(text[:RUN])
        return self._texts[number]

    def run(self) -> bytes | None:
        """Return the next run; None means zeros."""
        kind = self._random.random()
        if kind < NOISE_SHARE:
            return self._random.randbytes(RUN)
        if kind < NOISE_SHARE + TEXT_SHARE:
            text = self._text(self._random.randrange(_TEXTS))
            turn = self._random.randrange(RUN)
            return text[turn:] + text[:turn]
        return None


def make(path: Path, size: int, seed: int, *, holding: int | None = None) -> None:
    """Write an image; its zeros are holes.

    :param size: bytes of the image, a multiple of a MiB.
    :param holding: maximum bytes of content, zeros included, spread evenly over the
        image; None for all of it.
    """
    content = Content(seed)
    runs = (size if holding is None else min(holding, size)) // RUN
    stride = size // RUN // max(1, runs)
    with path.open("wb") as file:
        for number in range(runs):
            data = content.run()
            if data is not None:
                file.seek(number * stride * RUN)
                file.write(data)
        file.truncate(size)


def change(path: Path, copy: Path, share: float, seed: int) -> int:
    """Copy an image and overwrite a share of it in scattered places; return the bytes changed."""
    with path.open("rb") as source, copy.open("wb") as target:
        size = _copy_sparsely(source.fileno(), target.fileno())
    places = random.Random(seed).sample(range(size // CHANGE), int(size / CHANGE * share))
    rnd = random.Random(seed + 1)
    with copy.open("r+b") as target:
        for place in places:
            target.seek(place * CHANGE)
            target.write(rnd.randbytes(CHANGE))
    return len(places) * CHANGE


def _copy_sparsely(source: int, target: int) -> int:
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    position = 0
    while position < size:
        try:
            start = os.lseek(source, position, os.SEEK_DATA)
        except OSError:  # only a hole up to the end
            break
        end = os.lseek(source, start, os.SEEK_HOLE)
        os.lseek(source, start, os.SEEK_SET)
        os.lseek(target, start, os.SEEK_SET)
        while start < end:
            start += os.sendfile(target, source, None, min(end - start, 64 * MIB))
        position = end
    return size


def same(one: Path, other: Path) -> bool:
    """Return whether two files have the same content."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while data := first.read(8 * MIB):
            if data != second.read(len(data)):
                return False
    return True


def free_for(folder: Path) -> int:
    """Return the free bytes of a folder's filesystem."""
    return shutil.disk_usage(folder).free
