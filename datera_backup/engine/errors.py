# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while bytes are moved, besides what a container says."""

from __future__ import annotations


class EngineError(Exception):
    """Anything that ended a job."""


class JobCancelled(EngineError):
    """The job was cancelled before it had finished."""


class SourceTruncated(EngineError):
    """The volume ended before its size was read: it shrank meanwhile."""

    def __init__(self, offset: int, size: int) -> None:
        super().__init__(f"The volume should have {size} bytes, but it ends at byte {offset}.")
        self.offset = offset
        self.size = size


class SinkTooSmall(EngineError):
    """The volume to restore onto is smaller than the one that was backed up."""

    def __init__(self, needed: int, size: int) -> None:
        super().__init__(
            f"The backup is of a volume of {needed} bytes, the volume to restore onto has {size}."
        )
        self.needed = needed
        self.size = size
