# SPDX-License-Identifier: Apache-2.0
"""Where the progress of a backend's driver is visible, and where a late one is stopped.

A driver gets the volume's file in a wrapper that records what it moves. With Cinder's chunked
drivers each object that they read, write, list or delete is recorded too. Calls of the RBD image
below the file are recorded, since the image must not be closed meanwhile. I/O through a file
descriptor, or by a program that opens the image itself, is not visible: a driver may report it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from backup_dispatch.calls.stall import Operation, Sight
from backup_dispatch.counting.figures import NEW, READ, STORED, WRITTEN
from backup_dispatch.drivers.families import is_ceph, is_chunked
from backup_dispatch.drivers.interface import SupportsProgress
from backup_dispatch.drivers.offers import offered

_HARMLESS = frozenset(
    {
        "close",
        "closed",
        "mode",
        "name",
        "readable",
        "seekable",
        "size",
        "writable",
        "rbd_conf",
        "rbd_pool",
        "rbd_user",
    }
)
"""Attributes of a volume's file that neither move data nor give other access to it."""

_OBJECT_CALLS = {
    "get_container_entries": "listing objects",
    "delete_object": "deleting an object",
    "put_container": "looking for the container",
}

_MOVING = ("read", "write")

_COMPRESS = "_prepare_output_data"
"""What Cinder's base class passes each part of the volume through that it is about to store."""

_IMAGE_CALLS = {
    "read": "reading the volume",
    "write": "writing the volume",
    "write_zeroes": "zeroing the volume",
    "discard": "zeroing the volume",
    "flush": "flushing the volume",
    "diff_iterate": "asking where the volume holds data",
}


def sight_of(driver: Any) -> Sight:
    """How much of this driver's progress is visible."""
    if is_chunked(driver):
        return Sight.ALL
    return Sight.MOVES if is_ceph(driver) else Sight.FIRST_MOVES


@contextmanager
def watched(driver: Any, operation: Operation) -> Iterator[None]:
    """Let this driver object record its progress, and fail once the operation is abandoned."""
    replaced: dict[str, Callable[..., Any]] = {"put_metadata": _fenced(driver, operation)}
    if is_chunked(driver):
        replaced |= _object_calls(driver, operation)
        replaced["_send_progress_notification"] = _right_percentage(driver, operation)
    for name, method in replaced.items():
        setattr(driver, name, method)
    reporter = offered(driver, SupportsProgress)
    if reporter is not None:
        reporter.report_progress_to(operation.reported)
    try:
        yield
    finally:
        for name in replaced:
            delattr(driver, name)


def _fenced(driver: Any, operation: Operation) -> Callable[..., Any]:
    """A late restore must not change the volume's name, either."""
    put_metadata = driver.put_metadata

    def put(*arguments: Any, **named: Any) -> Any:
        operation.require()
        return put_metadata(*arguments, **named)

    return put


def _right_percentage(driver: Any, operation: Operation) -> Callable[..., Any]:
    """The percentage in Cinder's notifications by bytes: it divides chunks by bytes."""
    send = driver._send_progress_notification

    def send_right(context: Any, backup: Any, object_meta: Any, _chunks: int, size: int) -> Any:
        return send(context, backup, object_meta, min(operation.moved_bytes.done, size), size)

    return send_right


def _object_calls(driver: Any, operation: Operation) -> dict[str, Callable[..., Any]]:
    def opening(method: Callable[..., Any], doing: str) -> Callable[..., Any]:
        def open_object(*arguments: Any, **named: Any) -> Any:
            operation.moved(doing)
            return WatchedObject(method(*arguments, **named), operation, doing)

        return open_object

    def calling(method: Callable[..., Any], doing: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            operation.moved(doing)
            result = method(*arguments, **named)
            operation.moved(doing)
            return result

        return call

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def prepare(data: Any) -> Any:
            operation.counted.saw(NEW, len(data))
            return method(data)

        return prepare

    calls = {name: calling(getattr(driver, name), doing) for name, doing in _OBJECT_CALLS.items()}
    if hasattr(driver, _COMPRESS):
        calls[_COMPRESS] = counting(getattr(driver, _COMPRESS))
    calls["get_object_writer"] = opening(driver.get_object_writer, "writing an object")
    calls["get_object_reader"] = opening(driver.get_object_reader, "reading an object")
    return calls


class WatchedObject:
    """A chunked driver's reader or writer of one object."""

    def __init__(self, wrapped: Any, operation: Operation, doing: str) -> None:
        self._wrapped = wrapped
        self._operation = operation
        self._doing = doing

    def __enter__(self) -> WatchedObject:
        entered = self._wrapped.__enter__()
        return WatchedObject(entered, self._operation, self._doing)

    def __exit__(self, *error: Any) -> Any:
        # Some drivers send the whole object here.
        suppressed = self._wrapped.__exit__(*error)
        self._operation.moved(self._doing)
        return suppressed

    def read(self, *arguments: Any) -> Any:
        """Read, and note it."""
        self._operation.moved(self._doing)
        data = self._wrapped.read(*arguments)
        self._operation.moved(self._doing)
        self._operation.counted.saw(STORED, len(data))
        return data

    def write(self, data: Any) -> Any:
        """Write, and note it."""
        self._operation.moved(self._doing)
        written = self._wrapped.write(data)
        self._operation.moved(self._doing)
        self._operation.counted.saw(STORED, len(data))
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


class WatchedImage:
    """The RBD image of a volume's file, as its driver sees it; several threads may use it at once.

    It looks like what it wraps. Of a call that only begins something, as ``aio_read`` does, nothing
    is known once it has returned.
    """

    def __init__(self, image: Any, operation: Operation) -> None:
        self._image = image
        self._operation = operation

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._image)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._image, name)
        if not callable(value):
            self._operation.require()
            return value
        doing = _IMAGE_CALLS.get(name, f"calling {name} of the volume's image")

        def call(*arguments: Any, **named: Any) -> Any:
            with self._operation.using_the_volume(doing):
                result = value(*arguments, **named)
                if name in _MOVING and isinstance(result, (bytes, int)):
                    self._operation.moved_bytes.count(
                        len(result) if isinstance(result, bytes) else result
                    )
                return result

        return call


class WatchedFile:
    """A volume's file, as its driver sees it.

    It looks like what it wraps, also to ``isinstance`` and ``hasattr``.
    """

    def __init__(self, file: Any, operation: Operation) -> None:
        self._file = file
        self._operation = operation
        self._descriptor: int | None = None
        self._position = 0
        operation.on_abandon(self._divert)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._file)

    def read(self, *arguments: Any) -> Any:
        """Read, and note it; what follows the end of the volume is not visible."""
        with self._operation.using_the_volume("reading the volume"):
            data = self._file.read(*arguments)
            self._operation.moved("reading the volume")
            self._count(len(data or b""))
        self._operation.counted.saw(READ, len(data or b""))
        if not data:
            self._operation.reached_the_end()
        return data

    def readinto(self, buffer: Any) -> Any:
        """Read, and note it."""
        with self._operation.using_the_volume("reading the volume"):
            length = self._file.readinto(buffer)
            self._count(length or 0)
            return length

    def write(self, data: Any) -> Any:
        """Write, and note it."""
        with self._operation.using_the_volume("writing the volume"):
            written = self._file.write(data)
            self._count(len(data))
        self._operation.counted.saw(WRITTEN, len(data))
        return written

    def flush(self) -> Any:
        """Flush, and note it."""
        with self._operation.using_the_volume("flushing the volume"):
            return self._file.flush()

    def seek(self, *arguments: Any) -> Any:
        """Seek, and note it."""
        with self._operation.using_the_volume("seeking in the volume"):
            found = self._file.seek(*arguments)
        if arguments[1:] in ((), (os.SEEK_SET,)):
            self._operation.moved_bytes.skip(max(arguments[0] - self._position, 0))
            self._position = arguments[0]
        return found

    def tell(self) -> Any:
        """The file's position."""
        self._operation.require()
        return self._file.tell()

    def fileno(self) -> int:
        """A descriptor of the volume that is useless once the operation is abandoned.

        A duplicate: the file's own is closed then, and its number may be reused for another file,
        which a late driver must not write to.
        """
        self._operation.require()
        if self._descriptor is None:
            self._descriptor = os.dup(self._file.fileno())
            try:
                self._operation.require()
            except Exception:
                self._divert()
                raise
        self._operation.lost_sight()
        return self._descriptor

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._file, name)
        if name not in _HARMLESS:
            self._operation.require()
            self._operation.lost_sight()
        return WatchedImage(value, self._operation) if name == "rbd_image" else value

    def _count(self, length: int) -> None:
        self._position += length
        self._operation.moved_bytes.count(length)

    def release(self) -> None:
        """Close the wrapper's own resources: its driver has ended."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _divert(self) -> None:
        if self._descriptor is None:
            return
        nowhere = os.open(os.devnull, os.O_RDWR)
        try:
            os.dup2(nowhere, self._descriptor, inheritable=False)
        finally:
            os.close(nowhere)
