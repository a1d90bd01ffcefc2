# SPDX-License-Identifier: Apache-2.0
"""Objects of a chunked driver, decompressed, of which a bounded number of bytes is kept.

An object up to :data:`SMALL` is kept in memory, a larger one in a file without a name in the
scratch folder: Cinder's folder drivers make objects of 2 GB. One that a folder has as it is is
read where it lies.
"""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from backup_dispatch.drivers.chunked_objects import ChunkedObjects, ObjectDamaged
from backup_dispatch.drivers.readers.overlay import Segment
from backup_dispatch.drivers.readers.stored import Stored, is_plain, pieces_of
from backup_dispatch.errors import ScratchFull

MIB = 1 << 20
SMALL = 64 * MIB
_MOST_IN_MEMORY = 256 * MIB
_MOST_FILES = 4
_STEP = MIB


class Unpacked:
    """The plain bytes of one object.

    :param file: has them; None: they are in memory.
    :ivar length: how many bytes there are, from the first on.
    :ivar reason: why the others are not; empty if there are all.
    :ivar reread: whether it was read anew because it had not what it should have.
    """

    def __init__(self, file: IO[bytes] | None = None, length: int = 0) -> None:
        self._file = file
        self._memory = bytearray()
        self.length = length
        self.reason = ""
        self.reread = False

    @property
    def is_in_file(self) -> bool:
        """Whether it takes no memory."""
        return self._file is not None

    def append(self, piece: bytes) -> None:
        """Take further bytes."""
        if self._file is None:
            self._memory += piece
        else:
            self._file.write(piece)
        self.length += len(piece)

    def read_into(self, at: int, buffer: memoryview) -> bool:
        """Fill the buffer as far as there are bytes; False if there are not all."""
        there = max(0, min(len(buffer), self.length - at))
        if self._file is None:
            buffer[:there] = memoryview(self._memory)[at : at + there]
            return there == len(buffer)
        done = 0
        while done < there:
            count = os.preadv(self._file.fileno(), [buffer[done:there]], at + done)
            if not count:
                return False
            done += count
        return there == len(buffer)


class UnpackedObjects:
    """Unpacks objects when they are asked for; any number of threads may ask."""

    def __init__(self, driver: Any, scratch: Path) -> None:
        self._objects = ChunkedObjects(driver)
        self._scratch = scratch
        self._lock = threading.Lock()
        # A driver object serves one thread at a time.
        self._loading = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Unpacked] = OrderedDict()

    def of(self, segment: Segment) -> Unpacked:
        """The segment's object; of a damaged one what comes before the damage.

        :raises ObjectUnread: it cannot be read, and the backend answers.
        :raises VerdictUnknown: the backend does not answer, or there is no room for it.
        """
        return self._known(segment) or self._loaded(segment, None)

    def anew(self, segment: Segment, wrong: Unpacked) -> Unpacked:
        """The object, read once more: what came may have changed on its way."""
        # One that is damaged by its own length or compression was read twice.
        return wrong if wrong.reread or wrong.reason else self._loaded(segment, wrong)

    def close(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()

    def _known(self, segment: Segment) -> Unpacked | None:
        key = _key(segment)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _loaded(self, segment: Segment, wrong: Unpacked | None) -> Unpacked:
        with self._loading:
            # Another thread may have loaded it meanwhile.
            known = self._known(segment)
            if known is not None and known is not wrong:
                return known
            unpacked = self._unpacked(segment)
            unpacked.reread = wrong is not None
            self._keep(_key(segment), unpacked)
            return unpacked

    def _keep(self, key: tuple[str, str], unpacked: Unpacked) -> None:
        with self._lock:
            self._kept[key] = unpacked
            self._kept.move_to_end(key)
            memory = files = 0
            for other in reversed(list(self._kept)):
                one = self._kept[other]
                files += one.is_in_file
                memory += 0 if one.is_in_file else one.length
                if other != key and (files > _MOST_FILES or memory > _MOST_IN_MEMORY):
                    # Whoever reads from it has it still; its file ends with it.
                    del self._kept[other]

    def _unpacked(self, segment: Segment) -> Unpacked:
        one, last = segment.one, Unpacked()

        def unpack(reader: Any) -> Unpacked:
            nonlocal last
            last = self._empty(one, reader)
            self._fill(last, one, reader)
            return last

        extra = {} if segment.extra is None else {"extra_metadata": segment.extra}
        try:
            return self._objects.used(segment.backup, one.name, unpack, **extra)
        except ObjectDamaged as damage:
            last.reason = f"object {one.name}: {damage}"
            return last

    def _empty(self, one: Stored, reader: Any) -> Unpacked:
        if is_plain(one) and isinstance(reader, io.BufferedReader):
            file = open(os.dup(reader.fileno()), "rb", buffering=0)  # noqa: SIM115 - kept
            return Unpacked(file, min(one.length, os.fstat(file.fileno()).st_size))
        if one.length <= SMALL:
            return Unpacked()
        try:
            return Unpacked(tempfile.TemporaryFile(dir=self._scratch, buffering=0))
        except OSError as error:
            raise ScratchFull(self._scratch, error) from error

    def _fill(self, unpacked: Unpacked, one: Stored, reader: Any) -> None:
        if unpacked.length == 0:
            for piece in pieces_of(one, _body(reader)):
                if unpacked.length + len(piece) > one.length:
                    raise ObjectDamaged(f"it has more bytes than {one.length}")
                try:
                    unpacked.append(piece)
                except OSError as error:
                    raise ScratchFull(self._scratch, error) from error
        if unpacked.length != one.length:
            raise ObjectDamaged(f"it has {unpacked.length} bytes, and should have {one.length}")


def _key(segment: Segment) -> tuple[str, str]:
    return segment.backup.id, segment.one.name


def _body(reader: Any) -> Iterator[bytes]:
    """The stored bytes, piece by piece if the driver's reader can do that."""
    if not isinstance(reader, io.BufferedReader):
        yield reader.read()
        return
    while piece := reader.read(_STEP):
        yield piece
