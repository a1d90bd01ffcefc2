# SPDX-License-Identifier: Apache-2.0
"""The steps of a service's process, counted: it ends at the one that was chosen, as by ``kill -9``.

A step is what the world outside may have seen, or not: a request before it is sent and its answer
before it is used, a write to a device, half of a write, a flush, a change of the database before it
is made and a commit before and after it.
"""

from __future__ import annotations

import http.client
import itertools
import mmap
import os
import re
import signal
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

NUMBERS = struct.Struct("<qqq")
NEVER = 2**62
SECTOR = 512
# A heartbeat changes nothing that could be left half made.
CHANGES = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM) +(?!services\b)", re.IGNORECASE)
HEARTBEAT = "/lease/keepalive"


class Steps:
    """How many steps a process has made, and the one at which it ends.

    :param file: shared by the process and the test that ends it.
    """

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(NUMBERS.pack(0, NEVER, signal.SIGKILL))
        with file.open("r+b") as opened:
            self._numbers = mmap.mmap(opened.fileno(), NUMBERS.size)
        self._counted = itertools.count(self.made + 1)

    @property
    def made(self) -> int:
        """How many there were, of all processes with this file."""
        return int(NUMBERS.unpack_from(self._numbers)[0])

    @property
    def is_over(self) -> bool:
        """Whether the chosen one was reached."""
        return self.made >= self._last

    def end_after(self, count: int, by: signal.Signals = signal.SIGKILL) -> None:
        """Let the process end, or be stopped, at the step after so many from now."""
        struct.pack_into("<q", self._numbers, 16, by)
        self._last = self.made + count

    def spare(self) -> None:
        """Let the process go on."""
        self._last = NEVER

    def step(self) -> None:
        """Make one; perhaps the last."""
        if self.is_last():
            end()

    def is_last(self) -> bool:
        """Make a step, and return whether it is the last; then `end` must follow."""
        number = next(self._counted)
        struct.pack_into("<q", self._numbers, 0, number)
        _, last, by = NUMBERS.unpack_from(self._numbers)
        if number >= last and by == signal.SIGSTOP:
            self.spare()
            os.killpg(0, by)
            return False
        return bool(number >= last)

    @property
    def _last(self) -> int:
        return int(NUMBERS.unpack_from(self._numbers)[1])

    @_last.setter
    def _last(self, number: int) -> None:
        struct.pack_into("<q", self._numbers, 8, number)


def end() -> None:
    """End this process and all of its group."""
    os.killpg(0, signal.SIGKILL)


def count_all(steps: Steps) -> None:
    """Count what this process does from now on, whatever does it."""
    _count_requests(steps)
    _count_writes(steps)
    _count_database(steps)


def _count_requests(steps: Steps) -> None:
    real_put = http.client.HTTPConnection.putrequest
    real_send = http.client.HTTPConnection.endheaders
    real_answer = http.client.HTTPConnection.getresponse

    def put(self: Any, method: str, url: str, *args: Any, **named: Any) -> None:
        self.counted = not url.endswith(HEARTBEAT)
        real_put(self, method, url, *args, **named)

    def send(self: Any, *args: Any, **named: Any) -> None:
        if self.counted:
            steps.step()
        real_send(self, *args, **named)

    def answer(self: Any) -> Any:
        answered = real_answer(self)
        if getattr(self, "counted", True):
            steps.step()
        return answered

    _set(http.client.HTTPConnection, putrequest=put, endheaders=send, getresponse=answer)


def _count_writes(steps: Steps) -> None:
    real_writes, real_write, flushes = os.pwritev, os.pwrite, (os.fsync, os.fdatasync)

    def writes(descriptor: int, parts: Sequence[Any], offset: int, *flags: int) -> int:
        steps.step()
        if steps.is_last():
            whole = b"".join(bytes(part) for part in parts)
            real_write(descriptor, whole[: len(whole) // 2 // SECTOR * SECTOR], offset)
            end()
        return real_writes(descriptor, parts, offset, *flags)

    def write(descriptor: int, data: Any, offset: int) -> int:
        return writes(descriptor, [data], offset)

    def flushed(real: Callable[[int], None]) -> Callable[[int], None]:
        def flush(descriptor: int) -> None:
            steps.step()
            real(descriptor)

        return flush

    fsync, fdatasync = map(flushed, flushes)
    _set(os, pwritev=writes, pwrite=write, fsync=fsync, fdatasync=fdatasync)


def _count_database(steps: Steps) -> None:
    import pymysql  # not before the standard library is patched

    connections = pymysql.connections.Connection
    real_query, real_commit = connections.query, connections.commit

    def query(self: Any, sql: Any, *args: Any, **named: Any) -> Any:
        text = sql.decode(errors="replace") if isinstance(sql, bytes) else str(sql)
        if CHANGES.match(text):
            self.changed = True
            steps.step()
        return real_query(self, sql, *args, **named)

    def commit(self: Any) -> None:
        counted, self.changed = getattr(self, "changed", False), False
        if counted:
            steps.step()
        real_commit(self)
        if counted:
            steps.step()

    _set(connections, query=query, commit=commit)


def _set(where: object, **functions: Callable[..., Any]) -> None:
    for name, function in functions.items():
        setattr(where, name, function)
