# SPDX-License-Identifier: Apache-2.0
"""The volume of a backup: how many bytes it has by Cinder's records, and what to call it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from cinder import exception, objects
from oslo_log import log as logging

from datera_backup.container import GIB
from datera_backup.engine import EngineSettings, Source, SurplusJob, VolumeFailed, open_source
from datera_backup.errors import BackupFailed, SourceTooLong, SourceTooShort
from datera_backup.operations.progress import Watch, run

LOG = logging.getLogger(__name__)

BYTES_PER_GIB = GIB
"""What one GiB of a volume's size stands for."""


@contextmanager
def named(volume_id: str) -> Iterator[None]:
    """Name the volume in what reading it, or writing to it, meets while the block runs.

    :raises BackupFailed: something is wrong with the volume.
    """
    try:
        yield
    except VolumeFailed as failure:
        raise BackupFailed(f"Volume {volume_id} {failure.finding}") from failure


def whole(
    context: Any, backup: Any, file: BinaryIO, *, watch: Watch, settings: EngineSettings
) -> Source:
    """Return all bytes of the volume, or the snapshot, that Cinder speaks of, and no others.

    A device that was extended and not rescanned would give a backup that misses the end and looks
    complete. One that is larger than the volume, because its backend
    rounds up, would give one that cannot be restored onto a new volume: what is more is left out.

    :param watch: ends the reading of what is more.
    :raises InvalidVolume: there are no bytes at all.
    :raises SourceTooShort: they are too few.
    :raises SourceTooLong: there are more, and they are not all zero.
    :raises SourceUnreadable: the volume cannot be read.
    """
    source = open_source(file)
    if source.size <= 0:
        raise exception.InvalidVolume(reason=f"Volume {backup.volume_id} is empty")
    _require(source.size, _least_gib(context, backup), backup.volume_id)
    # Not the snapshot's size, which is the least: a new volume gets the one that is recorded.
    gib = int(backup.size or 0)
    size = gib * BYTES_PER_GIB
    if not size or source.size <= size:
        return source
    first = run(SurplusJob(source, size, settings), watch)
    if first is not None:
        raise SourceTooLong(
            f"Volume {backup.volume_id} has {size} bytes ({gib} GiB), but its device has "
            f"{source.size}, and byte {first} is not zero: a new volume would be too small. "
            f"Extend the volume to {-(-source.size // BYTES_PER_GIB)} GiB"
        )
    LOG.info(
        "The device of volume %s has %s bytes more than the volume; they are zero and left out.",
        backup.volume_id,
        source.size - size,
    )
    return open_source(file, size=size)


def _require(size: int, gib: int, volume_id: str) -> None:
    if size < gib * BYTES_PER_GIB:
        raise SourceTooShort(
            f"Volume {volume_id} has {gib * BYTES_PER_GIB} bytes ({gib} GiB), but the "
            f"device to back up has only {size}; was it extended and not rescanned?"
        )


def _least_gib(context: Any, backup: Any) -> int:
    if backup.snapshot_id:
        # The record has the size of the volume, which may have been extended since.
        try:
            snapshot = objects.Snapshot.get_by_id(context, backup.snapshot_id)
            return min(int(snapshot.volume_size), int(backup.size))
        except exception.SnapshotNotFound:
            return 0
    return int(backup.size or 0)
