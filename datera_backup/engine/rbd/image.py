# SPDX-License-Identifier: Apache-2.0
"""A librbd image: what is asked of it, and where it holds data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeGuard

from datera_backup.container import notices
from datera_backup.engine.rbd.data_map import DataMap

_METHODS = ("size", "features", "read", "write", "flush", "diff_iterate")

_MIGRATING = 1 << 11
"""The feature of an image that is being migrated, RBD_FEATURE_MIGRATING."""

MOST_REQUESTS = 8
"""Reads or writes of an image that a job makes at once.

In librbd each takes 2 to 3 MiB in addition to its buffer. With 5 ms for each, 8 of 1 MiB are
1.6 GiB a second.
"""


class RbdImage(Protocol):
    """What is used of ``rbd.Image``. Each method releases the interpreter's lock while it waits.

    Several threads may be in any of them at once. They raise errors of any kind.
    """

    def size(self) -> int:
        """Return the bytes of the image, or of the snapshot that it was opened at."""

    def features(self) -> int:
        """Return the features, one bit each."""

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes of a range; fewer where the image ends."""

    def write(self, data: bytes, offset: int) -> int:
        """Write all of it."""

    def flush(self) -> None:
        """Return when all that was written is durable."""

    def diff_iterate(
        self,
        offset: int,
        length: int,
        from_snapshot: str | None,
        iterate_cb: Callable[[int, int, bool], None],
        *,
        include_parent: bool,
        whole_object: bool,
    ) -> None:
        """Call back with what differs from a snapshot, or from an empty image: ``None``.

        The callback gets offset, length, and whether there is data; in any order, in threads of
        librbd's own.
        """


class RbdFile(Protocol):
    """A file object in front of an image.

    The image is asked for anew at each call: whoever wraps the file can so count the calls, and
    withdraw the image from an operation that is abandoned. And the file closes the image when it is
    garbage collected.
    """

    @property
    def rbd_image(self) -> RbdImage:
        """The image."""


def is_rbd(file: Any) -> TypeGuard[RbdFile]:
    """Say whether a file object is os-brick's wrapper of an image, or like it."""
    try:
        image = file.rbd_image
        return all(callable(getattr(image, name, None)) for name in _METHODS)
    except Exception:  # a property of somebody else's class
        return False


def mark_data(file: RbdFile, found: DataMap, size: int) -> None:
    """Mark where an image may hold data, its parents' included.

    Of an image with the feature ``fast-diff`` that is one request for its map of objects, else one
    for each object. What Ceph does not tell is marked too: all of it where the question fails.

    :param size: bytes that are expected of the image.
    """

    def mark(offset: int, length: int, exists: bool) -> None:
        if exists:
            found.mark(offset, offset + length)

    name = "the volume"
    try:
        image = file.rbd_image
        # Cinder's id of the volume is a part of it.
        name = getattr(image, "name", name)
        if image.features() & _MIGRATING:
            # Data that is still where it comes from is no parent's. librbd ends the process if it
            # is asked for the differences of a source that is no RBD image.
            found.mark(0, size)
            return
        length = image.size()
        # All at once: some releases report wrong offsets if they begin within an object, and each
        # call would ask for all of a parent's objects.
        image.diff_iterate(0, length, None, mark, include_parent=True, whole_object=True)
        found.mark(length, size)
    except Exception as failure:
        found.mark(0, size)
        if not _is_withdrawn(file):
            notices.tell(
                f"Ceph does not report which parts of {name} hold data, so that all of it counts "
                f"as data: {type(failure).__name__}: {failure}"
            )


def _is_withdrawn(file: RbdFile) -> bool:
    """Whether the operation was abandoned: that is told elsewhere, and Ceph is not at fault."""
    try:
        return file.rbd_image is None
    except Exception:
        return True
