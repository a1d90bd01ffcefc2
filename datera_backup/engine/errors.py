# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while bytes are moved, besides what a container says."""

from __future__ import annotations


class EngineError(Exception):
    """Anything that ended a job."""


class JobCancelled(EngineError):
    """The job was cancelled before it had finished."""


class ContainerSilent(EngineError):
    """A container's device no longer answers, which proves nothing about what lies on it."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(f"The container's device no longer answers: {_said(reason)}.")


class VolumeFailed(EngineError):
    """Something is wrong with the volume itself, not with a container.

    :ivar finding: what; it continues a sentence that begins with the volume's name.
    """

    def __init__(self, finding: str) -> None:
        super().__init__(f"The volume {finding}.")
        self.finding = finding


class SourceTruncated(VolumeFailed):
    """The volume ended before its size was read: it shrank meanwhile."""

    def __init__(self, offset: int, size: int) -> None:
        super().__init__(f"should have {size} bytes, but it ends at byte {offset}")
        self.offset = offset
        self.size = size


class SourceUnreadable(VolumeFailed):
    """Reading the volume failed.

    :ivar offset: the first byte of the page, or of what was read at once, that did not come.
    """

    def __init__(self, offset: int, reason: Exception) -> None:
        super().__init__(f"cannot be read at byte {offset}: {_said(reason)}")
        self.offset = offset


class SinkUnwritable(VolumeFailed):
    """Writing the volume failed.

    :ivar offset: the first byte of the block, or of what was written at once, that was not written.
    """

    def __init__(self, offset: int, reason: Exception) -> None:
        super().__init__(f"cannot be written at byte {offset}: {_said(reason)}")
        self.offset = offset


class SinkNotDurable(VolumeFailed):
    """The volume took all bytes, but may not have kept them."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(f"cannot be flushed, so that some of it may be lost: {_said(reason)}")


class SinkTooSmall(VolumeFailed):
    """The volume to restore onto is smaller than the one that was backed up."""

    def __init__(self, needed: int, size: int) -> None:
        super().__init__(
            f"to restore onto has {size} bytes, but the one that was backed up had {needed}"
        )
        self.needed = needed
        self.size = size


def _said(reason: Exception) -> str:
    # Ceph's and other bindings' errors may have no text at all.
    text = str(reason).rstrip(".")
    return text if isinstance(reason, OSError) else f"{type(reason).__name__}: {text}"
