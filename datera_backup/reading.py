# SPDX-License-Identifier: Apache-2.0
"""Read one backup, from however many containers its blocks lie in: to restore or to verify it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from datera_backup import containers
from datera_backup.attachment import Attachments
from datera_backup.container import BackupReader, Commit, LayoutDamaged
from datera_backup.engine import RestoreJob, Settings, Sink, VerifyJob, open_sink
from datera_backup.native import in_native_thread, unwrapped
from datera_backup.progress import Watch, run
from datera_backup.record import Location


@dataclass(frozen=True)
class Checked:
    """What a verification found.

    :ivar damage: the first damage, if there is any.
    :ivar blocks: how many blocks were to be looked at, of all that are not zero.
    """

    damage: list[str]
    blocks: int = 0
    of: int = 0


def restore(
    attachments: Attachments,
    location: Location,
    sink: Sink,
    *,
    write_zeros: bool,
    watch: Watch,
    settings: Settings,
) -> Commit:
    """Write the backup onto the sink, every block of it verified, and return its commit record.

    They may be appended to meanwhile.
    """
    with _reader(attachments, location) as backup:
        run(RestoreJob(backup, sink, write_zeros=write_zeros, settings=settings), watch)
        return backup.commit


def verify(
    attachments: Attachments,
    location: Location,
    watch: Watch,
    settings: Settings,
    *,
    share: float = 1.0,
    seed: int = 0,
) -> Checked:
    """Read and verify blocks of the backup, up to the first that is damaged, and write nothing.

    :param share: of the blocks that are not zero, which of them by ``seed``.
    :raises ContainerDamaged: a container cannot even be opened.
    """
    with _reader(attachments, location) as backup:
        job = VerifyJob(backup, share=share, seed=seed, settings=settings)
        damage = []
        try:
            run(job, watch)
        except LayoutDamaged as found:
            damage = [str(found)]
        else:
            watch.report(job.progress)
        return Checked(damage, job.sample.size, job.sample.of)


@contextmanager
def _reader(attachments: Attachments, location: Location) -> Iterator[BackupReader]:
    """The backup, with all containers that hold a block of it attached at once.

    A chain lies in one tenant: its commit records name containers, and no tenants.
    """
    with ExitStack() as stack:
        home = stack.enter_context(containers.opened(attachments, location.container))
        commit = in_native_thread(home.commit_of, location.backup_id)
        others = [
            stack.enter_context(containers.opened(attachments, containers.name_of(other)))
            for other in commit.containers
            if other != home.id
        ]
        yield in_native_thread(BackupReader, home, location.backup_id, others)


def sink_of(volume_file: object, volume_size: int) -> Sink:
    """The quickest way to write to what Cinder hands in.

    :param volume_size: bytes of the volume. Cinder opens its file in a mode that empties a regular
        one; a device keeps its own size, which may be more.
    """
    file = cast("BinaryIO", unwrapped(volume_file))
    return open_sink(file, size=volume_size if _was_emptied(file) else None)


def _was_emptied(file: Any) -> bool:
    try:
        status = os.fstat(file.fileno())
    except (AttributeError, OSError):  # RBD's wrapper has no descriptor, and says so in either way
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == 0
