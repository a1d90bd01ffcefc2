# SPDX-License-Identifier: Apache-2.0
"""Reads backups of Cinder's chunked drivers at any offset, without restoring them.

The metadata of the chain says which object has which bytes, and the list of sha256 digests of the
backup itself what each block of the volume has to be, whichever backup of the chain stored it.
Blocks that are zeros by their digest are not read at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from backup_dispatch.drivers.chunked_objects import ChunkedObjects, ObjectDamaged, ObjectUnread
from backup_dispatch.drivers.deletion import require_kept
from backup_dispatch.drivers.readers.missing import Missing, joined
from backup_dispatch.drivers.readers.overlay import Overlay
from backup_dispatch.drivers.readers.stored import (
    digests_in,
    digests_name,
    metadata_in,
    metadata_name,
    objects_in,
)
from backup_dispatch.drivers.readers.unpacked import MIB, UnpackedObjects
from backup_dispatch.errors import DataDamaged, VerdictUnknown

T = TypeVar("T")

GIB = 1 << 30


class ChunkedData:
    """One backup with all that it builds on; any number of threads may read.

    :param chain: the backup first, the full one last.
    :param scratch: for large objects, see :mod:`.unpacked`.
    :raises DataDamaged: metadata or digests are damaged or missing.
    :raises VerdictUnknown: the backend does not answer, or the chain has no end.
    """

    def __init__(self, driver: Any, chain: Sequence[Any], scratch: Path) -> None:
        self._driver = driver
        self._chain = list(chain)
        self._listing = ChunkedObjects(driver)
        self._objects = UnpackedObjects(driver, scratch)
        self._overlay = Overlay()
        last = self._chain[-1]
        if last.parent_id:
            raise VerdictUnknown(
                f"What backup {chain[0].id} holds: backup {last.id} builds on backup "
                f"{last.parent_id}, which has no record"
            )
        self._absent: set[str] = set()
        for backup in reversed(self._chain):
            self._add(backup)
        self._digests = digests = self._described(chain[0], digests_name(chain[0]), digests_in)
        self._block = block = digests.block_size
        most = digests.blocks * block
        # The list says which block is the last, and the objects where it ends.
        known = most - block < self._overlay.end < most
        self.size = self._overlay.end if known else most
        self._zeros = _digest(bytes(block))
        self._last_zeros = _digest(bytes(self.size % block or block))

    def extents(self) -> Iterator[tuple[int, int]]:
        """The ranges that are not zeros by their digests, each of about a GiB at most."""
        for first, stop in self._runs(0, self._digests.blocks, max(1, GIB // self._block)):
            start = first * self._block
            yield start, min(stop * self._block, self.size) - start

    def read_into(self, offset: int, buffer: memoryview) -> list[Missing]:
        """Fill the buffer, each block verified; return what of it is damaged.

        :raises ValueError: the volume ends before the buffer is full.
        :raises VerdictUnknown: the backend does not answer, or a backup was deleted meanwhile.
        """
        end = offset + len(buffer)
        if not 0 <= offset <= end <= self.size:
            raise ValueError(f"bytes {offset} to {end} are not in a volume of {self.size}")
        buffer[:] = bytes(len(buffer))
        missing: list[Missing] = []
        blocks = max(1, MIB // self._block)
        for first, stop in self._runs(offset // self._block, -(-end // self._block), blocks):
            at = first * self._block
            data = memoryview(bytearray(min(stop * self._block, self.size) - at))
            try:
                missing += self._read(first, data)
            except ObjectUnread as unread:
                raise VerdictUnknown(f"What backup {self._chain[0].id} holds: {unread}") from unread
            start, until = max(offset, at), min(end, at + len(data))
            buffer[start - offset : until - offset] = data[start - at : until - at]
        if missing:
            require_kept(self._chain)
        return joined(_cut(missing, offset, end))

    def close(self) -> None:
        """Forget the objects, and with them their files."""
        self._objects.close()

    # What there is

    def _add(self, backup: Any) -> None:
        listed = self._listing.listed(backup)
        if not listed:
            self._refuse(backup, "the backend has nothing of it")
        metadata = self._described(backup, metadata_name(backup), metadata_in)
        if metadata.get("version") not in self._driver.DRIVER_VERSION_MAPPING:
            raise VerdictUnknown(
                f"What backup {backup.id} holds: its metadata has version "
                f"{metadata.get('version')}, which the driver of this Cinder does not know"
            )
        if metadata.get("backup_id") != backup.id:
            self._refuse(backup, f"its metadata is that of backup {metadata.get('backup_id')}")
        objects = list(objects_in(metadata))
        self._absent |= {one.name for one in objects} - listed
        self._overlay.add(backup, objects, metadata.get("extra_metadata"))

    def _described(self, backup: Any, name: str, understand: Callable[[bytes], T]) -> T:
        try:
            return self._listing.understood(backup, name, understand)
        except ObjectDamaged as damage:
            self._refuse(backup, f"object {name}: {damage}")
        except ObjectUnread as unread:
            raise VerdictUnknown(
                f"What backup {backup.id} holds: object {name} cannot be read: {unread}"
            ) from unread

    def _refuse(self, backup: Any, what: str) -> NoReturn:
        require_kept(self._chain)
        raise DataDamaged(f"Backup {backup.id} cannot be opened: {what}.")

    # Blocks

    def _runs(self, first: int, stop: int, most: int) -> Iterator[tuple[int, int]]:
        """Runs of neighbouring blocks that are not zeros: the first, and the one behind."""
        begin = first
        for block in range(first, stop):
            if self._is_zero(block):
                if begin < block:
                    yield begin, block
                begin = block + 1
            elif block - begin == most:
                yield begin, block
                begin = block
        if begin < stop:
            yield begin, stop

    def _is_zero(self, block: int) -> bool:
        digest = self._digests.at(block)
        last = block == self._digests.blocks - 1
        return digest == (self._last_zeros if last else self._zeros)

    def _read(self, first: int, data: memoryview) -> Iterator[Missing]:
        """Read whole blocks; those that are damaged become zeros."""
        self._fill(first * self._block, data, anew=False)
        for at in range(0, len(data), self._block):
            block = data[at : at + self._block]
            if self._is_right(first, at, block):
                continue
            offset = first * self._block + at
            reason = self._fill(offset, block, anew=True)
            if not self._is_right(first, at, block):
                block[:] = bytes(len(block))
                yield Missing(offset, len(block), reason)

    def _is_right(self, first: int, at: int, block: memoryview) -> bool:
        return _digest(block) == self._digests.at(first + at // self._block)

    def _fill(self, offset: int, data: memoryview, *, anew: bool) -> str:
        """Fill it with what the objects have, and return what must be wrong if that is wrong.

        :param anew: these bytes were wrong before.
        """
        reason, names = "", list[str]()
        for one in self._overlay.between(offset, offset + len(data)):
            if one.one.name in self._absent:
                reason = reason or f"object {one.one.name} is missing"
                continue
            unpacked = self._objects.of(one)
            if anew:
                unpacked = self._objects.anew(one, unpacked)
            part = data[one.start - offset : one.end - offset]
            if not unpacked.read_into(one.start - one.one.offset, part):
                reason = reason or unpacked.reason
            names.append(one.one.name)
        if reason:
            return reason
        if not names:
            return f"no object has the block at byte {offset}"
        return (
            f"object {', '.join(names)}: the block at byte {offset} has not the sha256 in the list"
        )


def _digest(data: bytes | memoryview) -> bytes:
    return hashlib.sha256(data).digest()


def _cut(ranges: list[Missing], start: int, end: int) -> Iterator[Missing]:
    """The ranges as far as they are between two bytes."""
    for one in ranges:
        first, until = max(start, one.offset), min(end, one.offset + one.length)
        if first < until:
            yield Missing(first, until - first, one.reason)
