# SPDX-License-Identifier: Apache-2.0
"""Storage that takes its time: each request to it waits, in the thread that makes it."""

from __future__ import annotations

import functools
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

_REQUESTS = ("pread", "preadv", "pwrite", "pwritev", "fsync", "fdatasync")
MILLISECOND = 0.001


def slow_down(milliseconds: float, *further: tuple[ModuleType, str]) -> None:
    """Let each of this process's requests to a file or a device wait; there is no way back.

    Whatever makes them, however many at once: those of several threads wait side by side, as they
    would for storage behind a network. What is read and written by Python's own file objects does
    not wait: see `SlowFile`.

    :param further: functions that are one request each, as their module and name.
    """
    for module, name in (*((os, name) for name in _REQUESTS), *further):
        setattr(module, name, _waiting(getattr(module, name), milliseconds))


def _waiting(request: Callable[..., Any], milliseconds: float) -> Callable[..., Any]:
    @functools.wraps(request)
    def waiting(*arguments: Any) -> Any:
        time.sleep(milliseconds * MILLISECOND)
        return request(*arguments)

    return waiting


class SlowFile(io.FileIO):
    """A file without a buffer, each call of which waits once, however many bytes it moves."""

    def __init__(self, path: Path | str, mode: str, milliseconds: float) -> None:
        super().__init__(path, mode)
        self._milliseconds = milliseconds

    def _wait(self) -> None:
        time.sleep(self._milliseconds * MILLISECOND)

    def read(self, size: int | None = -1, /) -> bytes | Any:
        """Wait, then read."""
        self._wait()
        return super().read(-1 if size is None else size)

    def readall(self) -> bytes | Any:
        """Wait, then read up to the end."""
        self._wait()
        return super().readall()

    def readinto(self, buffer: Any, /) -> int | Any:
        """Wait, then read into a buffer."""
        self._wait()
        return super().readinto(buffer)

    def write(self, data: Any, /) -> int | Any:
        """Wait, then write."""
        self._wait()
        return super().write(data)


def slow_open(milliseconds: float) -> Callable[[str, str], Any]:
    """Return what opens files as ``open`` does by default, to read or write bytes slowly."""

    def opened(path: str, mode: str) -> Any:
        raw = SlowFile(path, mode, milliseconds)
        return io.BufferedReader(raw) if raw.readable() else io.BufferedWriter(raw)

    return opened
