# SPDX-License-Identifier: Apache-2.0
"""A progress line on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from backup_dispatch.command.units import in_units

WIDTH = 20
INTERVAL = 0.2


class ProgressLine:
    """Overwrites itself, and leaves nothing behind; silent without a terminal.

    To be used as a context manager, so that the line is removed however the work ends.

    :param shown: formats an amount; as bytes unless something else is counted.
    """

    def __init__(
        self,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
        width: int = WIDTH,
        shown: Callable[[float], str] = in_units,
    ) -> None:
        self._stream = stream
        self._shown = shown
        self._clock = clock
        self._width = width
        self._visible = stream.isatty()
        self._started = clock()
        self._shown_at: float | None = None
        self._length = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_error: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Remove the line, so that something else can be written."""
        if self._length:
            self._write("")

    def __call__(self, done: int, total: int) -> None:
        """Show it, if the last update was long enough ago.

        :param done: the amount done: bytes, or whatever ``shown`` formats.
        :param total: the total amount; 0 if unknown.
        """
        now = self._clock()
        if not self._visible:
            return
        if self._shown_at is not None and now - self._shown_at < INTERVAL:
            return
        self._shown_at = now
        self._write(self._text(done, total, now - self._started))

    def _text(self, done: int, total: int, seconds: float) -> str:
        rate = f"{self._shown(done / seconds)}/s" if seconds > 0 else ""
        if not total:
            return f"{self._shown(done)} {rate}"
        share = min(1.0, done / total)
        full = int(self._width * share)
        bar = "#" * full + "-" * (self._width - full)
        left = _left(seconds * (total - done) / done) if done else ""
        return f"[{bar}] {share:4.0%} {self._shown(done)} of {self._shown(total)} {rate}{left}"

    def _write(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._length) + ("" if text else "\r"))
        self._stream.flush()
        self._length = len(text)


def _left(seconds: float) -> str:
    """The time that the rest takes at the rate so far."""
    for unit, long, most in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 100)):
        if seconds < long * most:
            return f", {seconds / long:.0f} {unit} left" if seconds > 0 else ""
    return ", days left"
