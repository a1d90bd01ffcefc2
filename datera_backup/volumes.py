# SPDX-License-Identifier: Apache-2.0
"""How many bytes the volume of a backup has, by Cinder's records."""

from __future__ import annotations

from typing import Any

from cinder import exception, objects
from oslo_utils import units

from datera_backup.errors import SourceTooShort

BYTES_PER_GIB = units.Gi
"""What one GiB of a volume's size stands for."""


def require_whole(context: Any, backup: Any, size: int) -> None:
    """Check that what is to be read has all bytes of the volume, or the snapshot.

    A device that the host has not been told of after an extension would give a backup that misses
    the end, and looks like a good one.

    :param size: bytes of what is to be read. It may have more: some backends round up.
    :raises SourceTooShort: they are too few.
    """
    gib = _gib(context, backup)
    if size < gib * BYTES_PER_GIB:
        raise SourceTooShort(
            f"Volume {backup.volume_id} has {gib * BYTES_PER_GIB} bytes ({gib} GiB), but the "
            f"device to back up has only {size}; was it extended and not rescanned?"
        )


def _gib(context: Any, backup: Any) -> int:
    if backup.snapshot_id:
        # The record has the size of the volume, which may have been extended since.
        try:
            snapshot = objects.Snapshot.get_by_id(context, backup.snapshot_id)
            return min(int(snapshot.volume_size), int(backup.size))
        except exception.SnapshotNotFound:
            return 0
    return int(backup.size or 0)
