# SPDX-License-Identifier: Apache-2.0
"""The Datera backend's steps: its engine, as the driver runs it, with a file for a device.

With a latency, each request to that file, to the image and to the restored volume waits so many ms.
"""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.measuring.latency import slow_down
from bench.measuring.process import Measured
from datera_backup.container import (
    BackupReader,
    Container,
    Digest,
    FileDevice,
    Geometry,
    NewBackup,
    discarding,
)
from datera_backup.container.format.capacity import worst_case
from datera_backup.container.format.geometry import LOG_START
from datera_backup.engine import (
    BackupJob,
    EngineSettings,
    FileSink,
    FileSource,
    Job,
    RestoreJob,
    Sink,
    Source,
)

CHAIN = UUID(int=1)
NUMBERS = {"full": 1, "unchanged": 2, "changed": 3}


def back_up(
    folder: Path,
    image: Path,
    step: str,
    *,
    digest: Digest = Digest.BLAKE3,
    latency: float = 0.0,
) -> dict[str, Any]:
    """Take one backup of the chain in ``folder``."""
    _slow_down(latency)
    with image.open("rb") as file:
        return take(folder, FileSource(file), step, image, Geometry(digest=digest))


def take(
    folder: Path, source: Source, step: str, image: Path, geometry: Geometry | None = None
) -> dict[str, Any]:
    """Take one backup of the chain in ``folder``.

    :param image: as large as what is to be read: memory is made ready for it.
    """
    geometry = geometry or Geometry()
    path = folder / "device"
    if step == "full":
        with path.open("wb") as file:
            # Thin, like a container: space for the worst case of each backup.
            file.truncate(LOG_START + 3 * worst_case(source.size, geometry))
        container = Container.format(FileDevice(path), CHAIN)
    else:
        container = Container.open(FileDevice(path), CHAIN)
    parent = None
    if step != "full":
        parent = BackupReader(container, UUID(int=NUMBERS[step] - 1))
    measured = Measured(image)
    new = NewBackup(
        backup_id=UUID(int=NUMBERS[step]),
        volume_id="a volume",
        source_size=source.size,
        geometry=geometry,
    )
    writer = container.begin(new, living=container.committed, parent=parent)
    _result(BackupJob(source, writer, EngineSettings()))
    return measured.so_far()


def restore(folder: Path, target: Path, *, latency: float = 0.0) -> dict[str, Any]:
    """Restore the last backup of the chain onto an empty volume."""
    _slow_down(latency)
    with target.open("r+b") as file:
        return give_back(folder, FileSink(file), target)


def give_back(folder: Path, sink: Sink, image: Path) -> dict[str, Any]:
    """Restore the last backup of the chain onto an empty volume.

    :param image: as large as what is to be written: memory is made ready for it.
    """
    container = Container.open(FileDevice(folder / "device", writable=False), CHAIN)
    measured = Measured(image)
    backup = BackupReader(container, container.committed[-1])
    _result(RestoreJob(backup, sink, write_zeros=False, settings=EngineSettings()))
    return measured.so_far()


def _slow_down(latency: float) -> None:
    if latency:
        slow_down(latency, (discarding, "discard"))


def _result(job: Job[Any]) -> Any:
    job.start()
    return job.result()


def allocated(path: Path) -> int:
    """Return the bytes allocated for a file, or for all files below a folder."""
    found = 0
    for file in [path] if path.is_file() else path.rglob("*"):
        # A server may just have removed it.
        with contextlib.suppress(FileNotFoundError):
            status = file.stat()
            found += status.st_blocks * 512 if stat.S_ISREG(status.st_mode) else 0
    return found
