# SPDX-License-Identifier: Apache-2.0
"""The log of a container: blocks in segments, metadata in areas that store each record twice."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import partial
from uuid import UUID

from datera_backup.container.device import Buffer, Device, read
from datera_backup.container.errors import ContainerFull, LayoutDamaged
from datera_backup.container.format import segment
from datera_backup.container.format.capacity import segment_room
from datera_backup.container.format.codec import Codec, pack_payload
from datera_backup.container.format.geometry import (
    AREA_END,
    AREA_SIZE,
    COPY_DISTANCE,
    KIB,
    MIB,
    RECORD_HEADER_SIZE,
    Geometry,
    aligned,
    padded,
)
from datera_backup.container.format.log_record import (
    KINDS,
    SEGMENT,
    Header,
    Owner,
    RecordRef,
    checksum_of,
    decode_header,
    is_whole,
    places,
)
from datera_backup.container.writes import AtOnce, Writes, nothing

MOST_UNDER_WAY = 64 * MIB
"""Bytes of the log that may lie behind the first write that has not ended yet."""

_BATCH = 128 * KIB


class Log:
    """Where what is written next goes.

    :ivar writes: makes the writes.
    """

    def __init__(self, device: Device, container_id: UUID, offset: int) -> None:
        self._device = device
        self.writes: Writes = AtOnce()
        self._container_id = container_id
        self.offset = offset

    def take(self, length: int) -> int:
        """Allocate a range and return where it begins.

        :raises ContainerFull: the device ends before it does.
        """
        end = self.offset + padded(length)
        if end > self._device.size:
            raise ContainerFull(
                f"The log of container {self._container_id}", end, self._device.size
            )
        offset, self.offset = self.offset, end
        return offset

    def write(self, offset: int, *buffers: Buffer, then: Callable[[], None] = nothing) -> None:
        """Begin to write all the buffers one after the other, the first at ``offset``.

        :param buffers: kept as they are, until they have been written.
        :param then: as :meth:`Writes.put` has it.
        """
        self.writes.put(partial(self._device.pwrite, offset, *buffers), then)


class Segments:
    """Gathers blocks, as they are given, until they are written in one go.

    :ivar count: segments whose writing was begun.
    :ivar written: those of them that are on the device, and so are all before them.
    """

    def __init__(self, log: Log, owner: Owner, size: int, geometry: Geometry) -> None:
        self._log = log
        self._owner = owner
        self._room = segment_room(size, geometry)
        self.count = self.written = 0
        self.stored_bytes = 0
        self._empty()

    def _empty(self) -> None:
        self._parts: list[Buffer] = []
        self._used = 0
        self._numbers = array("Q")
        self._codecs = bytearray()
        self._lengths = array("I")
        self._digests = bytearray()
        self._zeroed: list[tuple[int, int]] = []

    def add(self, number: int, digest: bytes, codec: Codec, data: Buffer) -> int:
        """Take one stored block and return the byte of the device where it will lie.

        :param number: counted from the start of the source.
        :param data: kept as it is, until ``written`` is above what ``count`` is now.
        :raises ContainerFull: the device ends before.
        """
        length = len(data)
        if self._used + length > self._room or len(self._parts) == segment.MOST_BLOCKS:
            self.close()
        offset = self._log.offset + RECORD_HEADER_SIZE + self._used
        self._parts.append(data)
        self._used += length
        self._numbers.append(number)
        self._codecs.append(codec)
        self._lengths.append(length)
        self._digests += digest
        self.stored_bytes += length
        return offset

    def zeroed(self, first: int, count: int) -> None:
        """Record that blocks are zero that were not zero in the parent."""
        if self._zeroed and sum(self._zeroed[-1]) == first:
            first, before = self._zeroed.pop()
            count += before
        elif len(self._zeroed) == segment.MOST_RUNS:
            self.close()
        self._zeroed.append((first, count))

    def close(self) -> None:
        """Write what was gathered, if there is anything.

        :raises ContainerFull: the device ends before.
        """
        if not self._parts and not self._zeroed:
            return
        trailer = segment.encode(
            segment.Contents(
                numbers=self._numbers,
                codecs=bytes(self._codecs),
                lengths=self._lengths,
                digests=bytes(self._digests),
                zeroed=tuple(self._zeroed),
            )
        )
        length = RECORD_HEADER_SIZE + self._used + len(trailer)
        offset = self._log.take(length)
        header = Header(
            kind=SEGMENT,
            owner=self._owner,
            number=self.count,
            offset=offset,
            stored_length=self._used,
            plain_length=self._used,
            count=len(self._parts),
            codec=Codec.RAW,
            trailer=len(trailer),
        )
        pad = bytes(padded(length) - length)
        parts = (header.seal(trailer), *self._parts, trailer, pad)
        self.count += 1
        self._empty()
        self._log.write(offset, *parts, then=self._is_written)

    def _is_written(self) -> None:
        self.written += 1


class MetadataAreas:
    """Takes metadata records and writes each of them twice.

    :param make_way: ends what is being gathered for the log, called before an area is set aside.
    """

    def __init__(self, log: Log, owner: Owner, make_way: Callable[[], None]) -> None:
        self._log = log
        self._owner = owner
        self._make_way = make_way
        self._base = 0
        self._used = AREA_SIZE
        self._batch: list[bytes] = []
        self._batch_at = AREA_SIZE
        self.stored_bytes = 0

    def put(
        self, kind: bytes, number: int, plain: bytes, *, count: int, level: int = 0
    ) -> RecordRef:
        """Take a record; it lies on the device after :meth:`flush` and all writes.

        :raises ContainerFull: the device ends before.
        """
        codec, payload = pack_payload(plain)
        length = RECORD_HEADER_SIZE + len(payload)
        offset = self._place(length)
        header = Header(
            kind, self._owner, number, offset, len(payload), len(plain), count, codec, level=level
        )
        raw = header.seal(payload) + payload
        self._batch.append(raw + bytes(aligned(length) - length))
        self.stored_bytes += 2 * length
        # The first record of an area tells a survey that it is one.
        if offset == self._base or self._used - self._batch_at >= _BATCH:
            self.flush()
        return RecordRef(offset, length, checksum_of(raw))

    def _place(self, length: int) -> int:
        size = aligned(length)
        if size > AREA_SIZE:
            raise ValueError(f"a record of {length} bytes fits into no metadata area")
        if self._used + size > AREA_SIZE:
            self.flush()
            self._make_way()
            self._base = self._log.take(AREA_END)
            self._used = self._batch_at = 0
        offset = self._base + self._used
        self._used += size
        return offset

    def flush(self) -> None:
        """Begin to write what was taken; the next record begins where nothing else is written."""
        if not self._batch:
            return
        length = self._used - self._batch_at
        self._used = padded(self._used)
        pad = bytes(self._used - self._batch_at - length)
        for place in places(self._base + self._batch_at):
            self._log.write(place, *self._batch, pad)
        self._batch = []
        self._batch_at = self._used

    @property
    def end(self) -> int:
        """The byte behind everything that the log has been given so far."""
        whole = self._base + AREA_END
        return (
            self._base + COPY_DISTANCE + self._used
            if self._log.offset == whole
            else (self._log.offset)
        )


def survey(device: Device, backup_id: UUID, start: int) -> tuple[int, int]:
    """Return how many segments and bytes of the log an uncommitted backup has written.

    The survey ends at the first record that is not this backup's next one: older ones may lie
    there.
    """
    segments, offset = 0, start
    while offset + RECORD_HEADER_SIZE <= device.size:
        header = peek(device, offset)
        if header is None or header.owner.backup_id != backup_id:
            break
        if header.kind == SEGMENT:
            if header.number != segments:
                break
            segments += 1
            offset += padded(header.length)
        else:
            offset += AREA_END
    return segments, offset - start


def peek(
    device: Device, offset: int, lies_at: Callable[[Header, int], bool] = lambda _header, _at: True
) -> Header | None:
    """Return the header of the record at ``offset``; None if there is no intact one.

    Of a segment what says what lies in it is part of the whole, but not its blocks, which have
    digests of their own.

    :param lies_at: tells of a header whether its record can lie there, before more is read of it.
    """
    try:
        raw = read(device, offset, RECORD_HEADER_SIZE)
        header = decode_header(raw)
        if header.kind not in KINDS or not lies_at(header, offset):
            return None
        sealed = sealed_part(device, offset, header)
    except LayoutDamaged:
        return None
    return header if is_whole(raw, sealed) else None


def sealed_part(device: Device, offset: int, header: Header) -> bytes:
    """Return what a record's checksum is taken over besides its header's fields.

    :raises LayoutDamaged: it cannot be read, or can be none.
    """
    if header.kind != SEGMENT:
        if header.stored_length > AREA_SIZE:
            raise LayoutDamaged(f"metadata of {header.stored_length} bytes")
        return read(device, offset + RECORD_HEADER_SIZE, header.stored_length)
    if header.trailer > segment.MAX_TRAILER:
        raise LayoutDamaged(f"a segment whose contents take {header.trailer} bytes")
    return read(device, offset + RECORD_HEADER_SIZE + header.stored_length, header.trailer)
