# SPDX-License-Identifier: Apache-2.0
"""How many bytes of its volume an operation has moved, as far as that is visible."""

from __future__ import annotations

import re

_REPORTED = re.compile(r"(\d+) of (\d+) bytes\b")
"""How a driver reports an amount."""


class MovedBytes:
    """Counts without a lock: threads of a driver that count at once may lose a little.

    :ivar done: bytes that were read or written.
    :ivar skipped: bytes that were passed over, such as zeros of a new volume.
    :ivar total: bytes to move; 0 unless the driver reports it, whose word then counts alone.
    """

    def __init__(self) -> None:
        self.done = self.skipped = self.total = 0

    def count(self, length: int) -> None:
        """Note bytes that were read or written."""
        if not self.total:
            self.done += length

    def skip(self, length: int) -> None:
        """Note bytes that were passed over."""
        self.skipped += length

    def reported(self, text: str) -> None:
        """Note what a driver reports, if it is an amount."""
        amounts = _REPORTED.match(text)
        if amounts:
            self.done, self.total = int(amounts[1]), int(amounts[2])

    def of(self, expected: int) -> tuple[int, int]:
        """The bytes that are done, and those in all.

        :param expected: those in all, unless the driver reports it; 0 if unknown.
        """
        if self.total or not expected:
            return self.done, self.total
        return self.done + self.skipped, expected
