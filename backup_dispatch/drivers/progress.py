# SPDX-License-Identifier: Apache-2.0
"""Where the progress of a backend's driver can be seen, and where a late one is stopped.

A driver gets the volume's file in a wrapper that notes what it moves. Cinder's chunked drivers
besides tell each object that they read, write, list or delete. What a driver does in other ways,
by a file's descriptor or by the RBD image below it, stays unseen: it may tell by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from backup_dispatch.calls.stall import Operation, Sight
from backup_dispatch.drivers.ceph import is_ceph
from backup_dispatch.drivers.custody import is_chunked

HOOK = "report_progress_to"
"""A driver's optional method: it is handed what to call, with a word or two, whenever it got on."""

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
"""Attributes of a volume's file that move no data and open no other way to it."""

_OBJECT_CALLS = {
    "get_container_entries": "listing objects",
    "delete_object": "deleting an object",
    "put_container": "looking for the container",
}


def sight_of(driver: Any) -> Sight:
    """How much of this driver's work can be seen."""
    if is_chunked(driver):
        return Sight.ALL
    return Sight.MOVES if is_ceph(driver) else Sight.FIRST_MOVES


@contextmanager
def watched(driver: Any, operation: Operation) -> Iterator[None]:
    """Let this driver object note its progress, and be refused once the operation is abandoned."""
    replaced: dict[str, Callable[..., Any]] = {"put_metadata": _fenced(driver, operation)}
    if is_chunked(driver):
        replaced |= _object_calls(driver, operation)
    for name, method in replaced.items():
        setattr(driver, name, method)
    report_to = getattr(driver, HOOK, None)
    if report_to is not None:
        report_to(operation.reported)
    try:
        yield
    finally:
        for name in replaced:
            delattr(driver, name)


def _fenced(driver: Any, operation: Operation) -> Callable[..., Any]:
    """A late restore must not change what the volume is called, either."""
    put_metadata = driver.put_metadata

    def put(*arguments: Any, **named: Any) -> Any:
        operation.require()
        return put_metadata(*arguments, **named)

    return put


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

    calls = {name: calling(getattr(driver, name), doing) for name, doing in _OBJECT_CALLS.items()}
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
        # Some drivers send all the object here.
        suppressed = self._wrapped.__exit__(*error)
        self._operation.moved(self._doing)
        return suppressed

    def read(self, *arguments: Any) -> Any:
        """Read, and note it."""
        self._operation.moved(self._doing)
        data = self._wrapped.read(*arguments)
        self._operation.moved(self._doing)
        return data

    def write(self, data: Any) -> Any:
        """Write, and note it."""
        self._operation.moved(self._doing)
        written = self._wrapped.write(data)
        self._operation.moved(self._doing)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


class WatchedFile:
    """A volume's file, as its driver sees it.

    It looks like what it wraps, also to ``isinstance`` and ``hasattr``.
    """

    def __init__(self, file: Any, operation: Operation) -> None:
        self._file = file
        self._operation = operation
        self._descriptor: int | None = None
        operation.on_abandon(self._divert)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._file)

    def read(self, *arguments: Any) -> Any:
        """Read, and note it; what comes after the end of the volume is not seen."""
        with self._operation.using_the_volume("reading the volume"):
            data = self._file.read(*arguments)
            self._operation.moved("reading the volume")
        if not data:
            self._operation.reached_the_end()
        return data

    def readinto(self, buffer: Any) -> Any:
        """Read, and note it."""
        with self._operation.using_the_volume("reading the volume"):
            return self._file.readinto(buffer)

    def write(self, data: Any) -> Any:
        """Write, and note it."""
        with self._operation.using_the_volume("writing the volume"):
            return self._file.write(data)

    def flush(self) -> Any:
        """Flush, and note it."""
        with self._operation.using_the_volume("flushing the volume"):
            return self._file.flush()

    def seek(self, *arguments: Any) -> Any:
        """Seek, and note it."""
        with self._operation.using_the_volume("seeking in the volume"):
            return self._file.seek(*arguments)

    def tell(self) -> Any:
        """Where the file stands."""
        self._operation.require()
        return self._file.tell()

    def fileno(self) -> int:
        """A descriptor of the volume that leads nowhere once the operation is abandoned.

        A copy: the file's own is closed then, and its number may come to mean another file, which
        a late driver must not write to.
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
        return value

    def release(self) -> None:
        """Close what belongs to the wrapper: its driver has ended."""
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
