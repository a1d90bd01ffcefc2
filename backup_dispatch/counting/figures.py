# SPDX-License-Identifier: Apache-2.0
"""What an operation moves, in numbers; and the property that keeps those of a finished backup.

Of a backup, ``new``, ``shared`` and ``zero`` are the parts of its volume, and together all of it;
``stored`` is what the new part takes at the backend.
"""

from __future__ import annotations

from collections.abc import Mapping

READ = "read"
"""Bytes that a backup read of the volume; holes that need not be read do not count."""

WRITTEN = "written"
"""Bytes that a restore wrote to the volume."""

STORED = "stored"
"""Bytes that the backend got, compressed as they are; for a restore, that it gave."""

NEW = "new"
"""Bytes of the volume that the backup stores itself."""

SHARED = "shared"
"""Bytes of the volume that an earlier backup stores."""

ZERO = "zero"
"""Bytes of the volume that are zeros or holes, which nobody stores."""

RETRIES = "retries"
"""Requests to the backend that were repeated."""

SECONDS_READING = "seconds_reading"
SECONDS_PROCESSING = "seconds_processing"
SECONDS_WRITING = "seconds_writing"

STAGES = {
    "reading": SECONDS_READING,
    "processing": SECONDS_PROCESSING,
    "writing": SECONDS_WRITING,
}
"""Seconds by stage, of all threads together: an operation has several at once in each."""

NAMES = (READ, WRITTEN, STORED, NEW, SHARED, ZERO, RETRIES, *STAGES.values())

Figures = Mapping[str, float]
"""Numbers by the names above; what is not known is left out."""

PROPERTY = "backup_stored"
"""The property of a backup that keeps what became of its volume's bytes."""

_KEPT = (STORED, NEW, SHARED, ZERO)
_MOST_DIGITS = 18


def kept(figures: Figures) -> str:
    """The value of the property; empty if nothing of it is known."""
    return " ".join(f"{name}={figures[name]:.0f}" for name in _KEPT if name in figures)


def read_back(text: str) -> dict[str, int]:
    """What the property says; nothing where it cannot be understood, since users can edit it."""
    found: dict[str, int] = {}
    for word in text.split():
        name, _, number = word.partition("=")
        digits = number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS
        if name not in _KEPT or name in found or not digits:
            return {}
        found[name] = int(number)
    return found
