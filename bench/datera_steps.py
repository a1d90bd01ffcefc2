# SPDX-License-Identifier: Apache-2.0
"""The Datera backend's steps: its engine, as the driver runs it, with a file for a device."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.process import Measured
from datera_backup.container import (
    BackupReader,
    Container,
    Digest,
    FileDevice,
    Geometry,
    NewBackup,
)
from datera_backup.container.format.capacity import worst_case
from datera_backup.container.format.geometry import LOG_START
from datera_backup.engine import BackupJob, FileSink, FileSource, Job, RestoreJob, Settings

CHAIN = UUID(int=1)
NUMBERS = {"full": 1, "unchanged": 2, "changed": 3}


def back_up(folder: Path, image: Path, step: str, digest: Digest = Digest.SHA256) -> dict[str, Any]:
    """Take one backup of the chain in ``folder``."""
    size = image.stat().st_size
    path = folder / "device"
    if step == "full":
        with path.open("wb") as file:
            # Thin, as a container is: room for the worst case of each backup.
            file.truncate(LOG_START + 3 * worst_case(size, Geometry()))
        container = Container.format(FileDevice(path), CHAIN)
    else:
        container = Container.open(FileDevice(path), CHAIN)
    parent = None
    if step != "full":
        parent = BackupReader(container, UUID(int=NUMBERS[step] - 1))
    with image.open("rb") as source:
        measured = Measured(image)
        new = NewBackup(
            backup_id=UUID(int=NUMBERS[step]),
            volume_id="a volume",
            source_size=size,
            geometry=Geometry(digest=digest),
        )
        writer = container.begin(new, living=container.committed, parent=parent)
        _result(BackupJob(FileSource(source), writer, Settings()))
        return measured.so_far()


def restore(folder: Path, target: Path) -> dict[str, Any]:
    """Restore the last backup of the chain onto an empty volume."""
    container = Container.open(FileDevice(folder / "device", writable=False), CHAIN)
    with target.open("r+b") as file:
        measured = Measured(target)
        backup = BackupReader(container, container.committed[-1])
        job = RestoreJob(backup, FileSink(file), write_zeros=False, settings=Settings())
        _result(job)
        return measured.so_far()


def _result(job: Job[Any]) -> Any:
    job.start()
    return job.result()


def allocated(path: Path) -> int:
    """Return the bytes that a file, or all files below a folder, take up."""
    found = 0
    for file in [path] if path.is_file() else path.rglob("*"):
        # A server may remove what it had there a moment ago.
        with contextlib.suppress(FileNotFoundError):
            status = file.stat()
            found += status.st_blocks * 512 if stat.S_ISREG(status.st_mode) else 0
    return found
