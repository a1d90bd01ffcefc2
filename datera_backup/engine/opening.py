# SPDX-License-Identifier: Apache-2.0
"""The quickest way to read and to write what Cinder hands over."""

from __future__ import annotations

from typing import BinaryIO

from datera_backup.engine.descriptor import has_descriptor
from datera_backup.engine.rbd import RbdSink, RbdSource, is_rbd
from datera_backup.engine.sink import FileSink, ObjectSink, Sink
from datera_backup.engine.source import FileSource, ObjectSource, RangeSource, Source


def open_source(file: BinaryIO, *, size: int | None = None) -> Source:
    """Return the quickest source for a file object: its Ceph image, its descriptor, or itself.

    One without a descriptor that tells its ranges is asked for them: a backup that is copied.

    :param size: bytes to back up, where that is not the size of what is open.
    """
    if has_descriptor(file):
        return FileSource(file, size=size)
    if is_rbd(file):
        return RbdSource(file, size=size)
    if RangeSource.suits(file):
        return RangeSource(file, size=size)
    return ObjectSource(file, size=size)


def open_sink(file: BinaryIO, *, size: int | None = None) -> Sink:
    """Return the quickest sink for a file object: its Ceph image, its descriptor, or itself.

    :param size: bytes the volume has; a regular file that is shorter is extended to it.
    """
    if has_descriptor(file):
        # What the object has buffered must not be written after, and over, what goes below it.
        file.flush()
        return FileSink(file, size=size)
    if is_rbd(file):
        return RbdSink(file)
    return ObjectSink(file, size=size)
