# SPDX-License-Identifier: Apache-2.0
"""Filling a volume, changing a part of it, and comparing it byte by byte with what should be there.

All take something opened like a device: unbuffered, of a fixed size, seekable.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

PIECE = 4 * 2**20
CHANGE = 64 * 2**10

Progress = Callable[[int], None]
"""Told how many bytes have been dealt with so far."""


class Device(Protocol):
    """What is asked of a volume, and of the file that it is compared with."""

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """Go to a byte."""

    def read(self, size: int = ..., /) -> bytes:
        """Read up to so many bytes; fewer at the end."""

    def write(self, data: bytes, /) -> int | None:
        """Write; an unbuffered file may take only a part."""


class Differs(Exception):
    """A volume does not hold what it should."""


@dataclass(frozen=True)
class Changes:
    """Scattered writes that can be made again: the same seed, the same places and bytes.

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


def write_at(device: Device, offset: int, data: bytes) -> None:
    """Write all of ``data`` at ``offset``."""
    device.seek(offset)
    view = memoryview(data)
    while view:
        written = device.write(bytes(view) if len(view) < len(data) else data)
        view = view[written or 0 :]


def fill(device: Device, source: Device, progress: Progress) -> int:
    """Copy ``source`` onto the device, leave out what is zero there, and return the bytes written.

    The device is expected to be new, that is, to read as zeros.
    """
    written = 0
    for offset, piece in _pieces(source):
        if piece.strip(b"\0"):
            write_at(device, offset, piece)
            written += len(piece)
        progress(offset + len(piece))
    return written


def change(device: Device, changes: Changes, progress: Progress) -> int:
    """Make the changes on the device and return how many bytes were overwritten."""
    done = 0
    for offset, data in changes:
        write_at(device, offset, data)
        done += len(data)
        progress(done)
    return done


def compare(
    device: Device, source: Device, changes: Changes | None, progress: Progress
) -> tuple[int, str]:
    """Compare every byte of the device with ``source``, the changes made to it if any.

    :returns: how many bytes were compared, and a word on how many of them were changed ones.
    :raises Differs: at the first byte that is not as it should be, or where one ends first.
    """
    overlay = dict(changes) if changes else {}
    compared = 0
    device.seek(0)
    for offset, original in _pieces(source):
        expected = _changed(original, offset, overlay)
        found = _read(device, len(expected))
        if found != expected:
            raise Differs(_where(offset, expected, found))
        compared += len(found)
        progress(compared)
    if device.read(1):
        raise Differs(f"the volume goes on after byte {compared}")
    return compared, f"{len(overlay) * CHANGE} of them overwritten" if overlay else ""


def _pieces(source: Device) -> Iterator[tuple[int, bytes]]:
    source.seek(0)
    offset = 0
    while piece := _read(source, PIECE):
        yield offset, piece
        offset += len(piece)


def _read(device: Device, size: int) -> bytes:
    """Read so many bytes, fewer only at the end: a device may give less at once."""
    parts = []
    while size and (part := device.read(size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _changed(piece: bytes, offset: int, overlay: dict[int, bytes]) -> bytes:
    here = range(offset, offset + len(piece), CHANGE)
    if not any(place in overlay for place in here):
        return piece
    changed = bytearray(piece)
    for place in here:
        if place in overlay:
            changed[place - offset : place - offset + CHANGE] = overlay[place]
    return bytes(changed)


def _where(offset: int, expected: bytes, found: bytes) -> str:
    for index, (wanted, got) in enumerate(zip(expected, found, strict=False)):
        if wanted != got:
            return f"byte {offset + index} is {got:#04x}, not {wanted:#04x}"
    return f"the volume ends at byte {offset + len(found)}"
