# SPDX-License-Identifier: Apache-2.0
"""The log of a container: records one after the other, the blocks in segments."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from datera_backup.container.codec import Codec
from datera_backup.container.device import Buffer, Device
from datera_backup.container.errors import ContainerFull
from datera_backup.container.geometry import RECORD_HEADER_SIZE, Geometry, padded, segment_room
from datera_backup.container.record import SEGMENT, Header, RecordRef, checksum_of, peek


class Log:
    """Where the next record goes."""

    def __init__(self, device: Device, container_id: UUID, offset: int) -> None:
        self._device = device
        self._container_id = container_id
        self.offset = offset

    def append(self, record: bytes) -> RecordRef:
        """Write a record and what pads it.

        :raises ContainerFull: the device ends before.
        """
        ref = RecordRef(self.offset, len(record), checksum_of(record))
        self.write(len(record), [record])
        return ref

    def write(self, length: int, parts: Sequence[Buffer]) -> None:
        """Write a record that has so many bytes in all its parts, and what pads it.

        :raises ContainerFull: the device ends before.
        """
        end = self.offset + padded(length)
        if end > self._device.size:
            raise ContainerFull(
                f"The log of container {self._container_id}", end, self._device.size
            )
        self._device.pwrite(self.offset, *parts, bytes(padded(length) - length))
        self.offset = end


class Segment:
    """Gathers blocks, as they are given, until they are written in one go."""

    def __init__(self, log: Log, backup_id: UUID, size: int, geometry: Geometry) -> None:
        self._log = log
        self._backup_id = backup_id
        self._limit = RECORD_HEADER_SIZE + segment_room(size, geometry)
        self._parts: list[Buffer] = []
        self._used = RECORD_HEADER_SIZE
        self.count = 0
        self.stored_bytes = 0

    def add(self, data: Buffer) -> int:
        """Take one stored block and return the byte of the device where it will lie.

        :param data: kept as it is, until ``count`` has grown.
        :raises ContainerFull: the device ends before.
        """
        length = len(data)
        if self._used + length > self._limit:
            self.close()
        offset = self._log.offset + self._used
        self._parts.append(data)
        self._used += length
        self.stored_bytes += length
        return offset

    def close(self) -> None:
        """Write the blocks that were gathered, if there are any.

        :raises ContainerFull: the device ends before.
        """
        if not self._parts:
            return
        length = self._used - RECORD_HEADER_SIZE
        header = Header(
            magic=SEGMENT,
            backup_id=self._backup_id,
            number=self.count,
            stored_length=length,
            plain_length=length,
            count=len(self._parts),
            codec=Codec.RAW,
        )
        self._log.write(self._used, [header.seal(), *self._parts])
        self.count += 1
        self._used = RECORD_HEADER_SIZE
        self._parts = []


def survey(device: Device, backup_id: UUID, start: int) -> tuple[int, int]:
    """Find how far an uncommitted backup came: its segments on the device, and bytes of log.

    Manifests between the segments are counted with the bytes. The survey ends at the first record
    that is not this backup's next one: older ones may lie there.
    """
    segments, offset = 0, start
    while offset + RECORD_HEADER_SIZE <= device.size:
        header = peek(device, offset)
        if header is None or header.backup_id != backup_id:
            break
        if header.magic == SEGMENT:
            if header.number != segments:
                break
            segments += 1
        offset += padded(RECORD_HEADER_SIZE + header.stored_length)
    return segments, offset - start
