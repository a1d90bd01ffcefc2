# SPDX-License-Identifier: Apache-2.0
"""Filling a volume, changing a part of it, and comparing it byte by byte with the expected content.

All take a file opened like a device: unbuffered, of a fixed size, seekable.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

# Small enough to stay in the processor's cache between reading and comparing.
PIECE = 2**20
CHANGE = 64 * 2**10

Progress = Callable[[int], None]
"""Called with the number of bytes processed so far."""


class Device(Protocol):
    """The required methods of a volume, and of the file that it is compared with."""

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """Set the position."""

    def readinto(self, buffer: bytearray | memoryview, /) -> int | None:
        """Read up to the size of the buffer; nothing at the end."""

    def write(self, data: bytes | bytearray | memoryview, /) -> int | None:
        """Write; an unbuffered file may write only a part."""


class Differs(Exception):
    """A volume does not have the expected content."""


@dataclass(frozen=True)
class Changes:
    """Reproducible scattered writes: the same seed, the same offsets and bytes.

    :param size: bytes of the volume.
    :param percent: how much of it to overwrite.
    """

    size: int
    percent: float
    seed: int

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        places = self.size // CHANGE
        chance = random.Random(self.seed)
        for place in sorted(chance.sample(range(places), round(places * self.percent / 100))):
            yield place * CHANGE, chance.randbytes(CHANGE)

    @property
    def total(self) -> int:
        """How many bytes the changes overwrite."""
        return round(self.size // CHANGE * self.percent / 100) * CHANGE


def write_at(device: Device, offset: int, data: bytes | bytearray) -> None:
    """Write all of ``data`` at ``offset``."""
    device.seek(offset)
    left = memoryview(data)
    while left:
        left = left[device.write(left) or 0 :]


def fill(device: Device, source: Device, progress: Progress) -> int:
    """Copy ``source`` to the device, skip zeros, and return the bytes written.

    The device must be new, that is, read as zeros.
    """
    zeros = bytes(PIECE)
    written = 0
    for offset, piece in _pieces(source):
        if piece != zeros[: len(piece)]:
            write_at(device, offset, piece)
            written += len(piece)
        progress(offset + len(piece))
    return written


def change(device: Device, changes: Changes, progress: Progress) -> int:
    """Apply the changes to the device and return how many bytes were overwritten."""
    done = 0
    for offset, data in changes:
        write_at(device, offset, data)
        done += len(data)
        progress(done)
    return done


def compare(device: Device, source: Device, changes: Changes | None, progress: Progress) -> int:
    """Compare every byte of the device with ``source``, with the changes applied, if any.

    :returns: how many bytes were compared.
    :raises Differs: at the first byte that differs, or where one of the two ends.
    """
    overlay = dict(changes) if changes else {}
    compared = 0
    device.seek(0)
    found = bytearray(PIECE)
    for offset, expected in _pieces(source):
        for place in range(offset, offset + len(expected), CHANGE):
            if place in overlay:
                expected[place - offset : place - offset + CHANGE] = overlay[place]
        del found[_read(device, found, len(expected)) :]
        if found != expected:
            raise Differs(_where(offset, expected, found))
        compared += len(found)
        progress(compared)
    if device.readinto(bytearray(1)):
        raise Differs(f"the volume goes on after byte {compared}")
    return compared


def _pieces(source: Device) -> Iterator[tuple[int, bytearray]]:
    """Yield a file's content in pieces, in a buffer that is reused."""
    source.seek(0)
    offset = 0
    piece = bytearray(PIECE)
    while length := _read(source, piece, PIECE):
        del piece[length:]
        yield offset, piece
        offset += length
        piece.extend(bytes(PIECE - len(piece)))


def _read(device: Device, buffer: bytearray, size: int) -> int:
    """Read so many bytes, fewer only at the end: a device may return less per read."""
    buffer.extend(bytes(max(0, size - len(buffer))))
    done = 0
    with memoryview(buffer) as view:
        while done < size and (count := device.readinto(view[done:size])):
            done += count
    return done


def _where(offset: int, expected: bytearray, found: bytearray) -> str:
    for index, (wanted, got) in enumerate(zip(expected, found, strict=False)):
        if wanted != got:
            return f"byte {offset + index} is {got:#04x}, not {wanted:#04x}"
    return f"the volume ends at byte {offset + len(found)}"
