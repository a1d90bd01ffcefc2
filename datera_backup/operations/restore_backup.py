# SPDX-License-Identifier: Apache-2.0
"""Read one backup, from however many containers its blocks lie in: to restore or to verify it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from oslo_log import log as logging
from tooz import ToozError

from datera_backup.cinder_record import Location
from datera_backup.container import (
    BackupReader,
    BlockDamaged,
    Commit,
    Container,
    LayoutDamaged,
    Spot,
)
from datera_backup.container import ContainerError as LayoutError
from datera_backup.engine import Damage, EngineSettings, RestoreJob, Sink, VerifyJob, open_sink
from datera_backup.errors import BackupFailed
from datera_backup.native_thread import in_native_thread, unwrapped
from datera_backup.operations.progress import Watch, run
from datera_backup.storage import containers
from datera_backup.storage.attachments import Attachments
from datera_backup.storage.locks import writer_lock

LOG = logging.getLogger(__name__)

MOST_FINDINGS = 1000
"""After so many, a verification ends."""


@dataclass(frozen=True)
class Checked:
    """What a verification found.

    :ivar damage: all damage, one line each; the last line says so where it was too much to go on.
    :ivar blocks: how many blocks were selected, of all that are not zero.
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
    settings: EngineSettings,
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
    settings: EngineSettings,
    *,
    share: float = 1.0,
    seed: int = 0,
) -> Checked:
    """Read and verify blocks of the backup, and remember which are bad.

    No later incremental inherits these. Metadata that is damaged in one place is repaired.

    :param share: of the blocks that are not zero, which of them by ``seed``.
    :raises ContainerDamaged: a container cannot even be opened.
    """
    with home_and_reader(attachments, location, writable=True) as (home, backup):
        found = Findings()
        job = VerifyJob(backup, share=share, seed=seed, settings=settings, on_damage=found.add)
        damage = found.lines
        try:
            run(job, watch)
        except LayoutDamaged as last:
            damage.append(str(last))
        else:
            watch.report(job.progress)
        _remember(location, home, found.spots)
        return Checked(damage, job.sample.size, job.sample.of)


@dataclass
class Findings:
    """What a verification comes across.

    :ivar lines: in words.
    :ivar spots: where stored bytes are bad.
    """

    lines: list[str] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)

    def add(self, damage: Damage) -> None:
        """Take note of it.

        :raises LayoutDamaged: there is too much of it to go on.
        """
        error = damage.error
        self.lines.append(str(error))
        if isinstance(error, BlockDamaged):
            self.spots.append(Spot(error.container_id, error.device_offset, error.length))
        if len(self.lines) >= MOST_FINDINGS:
            raise LayoutDamaged(f"Stopped after {MOST_FINDINGS} findings; the rest was not read.")


def _remember(location: Location, home: Container, spots: Sequence[Spot]) -> None:
    """Record the findings; if the container is in use, the next verification does."""
    if not spots and not home.copies.faulty and not home.damaged_slots:
        return
    lock = writer_lock(location.container)
    try:
        if not lock.try_acquire():
            LOG.warning(
                "Container %s is in use: the findings are not recorded.", location.container
            )
            return
        try:
            # Deleted meanwhile, its range may be another backup's by now.
            in_native_thread(home.require, location.backup_id)
            in_native_thread(home.remember, spots)
            containers.repaired(home)
        finally:
            lock.release()
    except (BackupFailed, LayoutError, OSError, ToozError) as failure:
        LOG.warning("Container %s: the findings are not recorded: %s", location.container, failure)


@contextmanager
def _reader(attachments: Attachments, location: Location) -> Iterator[BackupReader]:
    """The backup, with all containers that hold a block of it attached at once."""
    with home_and_reader(attachments, location) as (_, backup):
        yield backup


@contextmanager
def home_and_reader(
    attachments: Attachments, location: Location, *, writable: bool = False
) -> Iterator[tuple[Container, BackupReader]]:
    """The backup's own container, and the backup with all others of them attached at once.

    A chain lies in one tenant: its commit records name containers, and no tenants.
    """
    with ExitStack() as stack:
        home = stack.enter_context(
            containers.opened(attachments, location.container, writable=writable)
        )
        commit = in_native_thread(home.commit_of, location.backup_id)
        others = [
            stack.enter_context(containers.opened(attachments, containers.name_of(other)))
            for other in commit.containers
            if other != home.id
        ]
        yield home, in_native_thread(BackupReader, home, location.backup_id, others)


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
