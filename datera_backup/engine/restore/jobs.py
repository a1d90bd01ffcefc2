# SPDX-License-Identifier: Apache-2.0
"""Restoring a backup, or only verifying it."""

from __future__ import annotations

from datera_backup.container import BackupReader
from datera_backup.engine.errors import SinkTooSmall
from datera_backup.engine.pipeline.job import Job
from datera_backup.engine.pipeline.requests import Requests
from datera_backup.engine.rbd import MOST_REQUESTS, RbdSink
from datera_backup.engine.restore.batch import OnDamage
from datera_backup.engine.restore.stages import RestoreReport, RestoreStages
from datera_backup.engine.sample import Sample
from datera_backup.engine.settings import EngineSettings
from datera_backup.engine.sink import Sink


class RestoreJob(Job[RestoreReport]):
    """Reads each block of a backup once, verifies it, and writes it where it belongs.

    Bytes of the sink beyond the size of the backup are left as they are.
    """

    def __init__(
        self,
        backup: BackupReader,
        sink: Sink,
        *,
        write_zeros: bool,
        settings: EngineSettings | None = None,
        on_damage: OnDamage | None = None,
    ) -> None:
        """Prepare; nothing is read or written yet.

        :param write_zeros: False only where the sink is known to read as zeros.
        :param on_damage: without it the first damage ends the job; with it, what is damaged is left
            out of the sink.
        :raises ContainerMissing: a container of the chain was not handed in, and nobody is told of
            damage.
        :raises SinkTooSmall: the sink is smaller than the backup.
        """
        if on_damage is None:
            backup.require_all()
        if sink.size < backup.commit.source_size:
            raise SinkTooSmall(backup.commit.source_size, sink.size)
        settings = (settings or EngineSettings()).for_blocks(backup.commit.geometry.block_size)
        if isinstance(sink, RbdSink):
            settings = settings.within(MOST_REQUESTS)
        requests = Requests()
        stages = RestoreStages(backup, settings, requests, sink, write_zeros, on_damage=on_damage)
        super().__init__(stages, requests, settings, settings.restore_rate)


class VerifyJob(Job[RestoreReport]):
    """Reads and verifies the blocks of a backup without writing them anywhere.

    One that reads all of them reads both copies of the metadata, so that
    ``Container.repair`` knows afterwards what to repair.

    :ivar sample: which of them.
    """

    def __init__(
        self,
        backup: BackupReader,
        *,
        share: float = 1.0,
        seed: int = 0,
        settings: EngineSettings | None = None,
        on_damage: OnDamage | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        :param share: of the blocks that are not zero, which of them by ``seed``; see
            :class:`datera_backup.engine.sample.Sample`.
        :param on_damage: without it the first damage ends the job.
        :raises CommitDamaged: the commit record has been damaged since, and so has its copy.
        :raises ContainerMissing: a container of the chain was not handed in.
        :raises ValueError: ``share`` is out of its bounds.
        """
        statistics = backup.commit.statistics
        self.sample = sample = Sample(
            share, statistics.new_blocks + statistics.inherited_blocks, seed
        )
        backup.require_all()
        if share == 1:
            backup.look_at_copies()
        settings = (settings or EngineSettings()).for_blocks(backup.commit.geometry.block_size)
        chosen = None if share == 1 else lambda _place: sample.draw()
        requests = Requests()
        stages = RestoreStages(backup, settings, requests, chosen=chosen, on_damage=on_damage)
        super().__init__(stages, requests, settings, settings.restore_rate)
