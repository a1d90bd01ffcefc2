# SPDX-License-Identifier: Apache-2.0
"""What operators ask of the driver, by way of the dispatcher's command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, BinaryIO

from datera_backup import containers, examination, reading, record, salvaging
from datera_backup.container import Container
from datera_backup.engine.salvage import Missing
from datera_backup.errors import BackupIncomplete, ContainerDamaged, ContainerGone
from datera_backup.native import in_native_thread
from datera_backup.orphans import Orphan, find_orphans, remove_orphan
from datera_backup.progress import VerifyWatch
from datera_backup.translate import translated

if TYPE_CHECKING:
    from datera_backup.backend import Backend
    from datera_backup.settings import BackupSettings


class OperatorsMethods:
    """Methods of the driver beside Cinder's own; ``docs/dispatcher.md`` says what each promises."""

    context: Any

    if TYPE_CHECKING:

        @property
        def settings(self) -> BackupSettings:
            """The options, checked."""

        @property
        def backend(self) -> Backend:
            """The cluster."""

    def try_out(self) -> Iterator[examination.Step]:
        """Make a small container, use it from this host, and delete it."""
        return examination.try_out(self.backend)

    def verify(self, backup: Any, progress: Callable[[int, int], None]) -> list[str]:
        """Read and verify every block of a backup, and remember which are bad.

        :param progress: called now and then with the bytes of the volume that are done, and those
            in all; what it raises ends the reading.
        :returns: the damage, one line each.
        :raises BackupFailed: it could not be read for another reason.
        """
        return self._checked(backup, progress, share=1.0, seed=0).damage

    def verify_sample(
        self, backup: Any, progress: Callable[[int, int], None], *, share: float, seed: int
    ) -> tuple[list[str], int, int]:
        """Read and verify some blocks of a backup, drawn at random, and remember which are bad.

        :param share: of the blocks that are not zero, above 0 and up to 1.
        :param seed: the same one draws the same blocks.
        :returns: the damage, one line each; how many blocks were drawn, and of how many.
        :raises BackupFailed: it could not be read for another reason.
        """
        checked = self._checked(backup, progress, share=share, seed=seed)
        return checked.damage, checked.blocks, checked.of

    def _checked(
        self, backup: Any, progress: Callable[[int, int], None], *, share: float, seed: int
    ) -> reading.Checked:
        location = record.location_of(backup)
        if location is None:
            return reading.Checked([f"Nothing is stored of backup {backup.id}"])
        self._clear_leftovers()
        try:
            with translated(f"Backup {backup.id}"):
                return reading.verify(
                    self.backend.attachments_in(location.tenant),
                    location,
                    VerifyWatch(progress),
                    self.settings.engine,
                    share=share,
                    seed=seed,
                )
        except (ContainerDamaged, ContainerGone, BackupIncomplete) as damage:
            return reading.Checked([str(damage)])

    def salvage(
        self, backup: Any, file: BinaryIO, progress: Callable[[int, int], None]
    ) -> tuple[int, Sequence[Missing]]:
        """Write what is sound of a backup, and leave out the rest.

        :param file: open for writing, and empty.
        :returns: bytes of the volume, and what of it is missing.
        :raises BackupFailed: nothing of it can be found.
        """
        location = record.location_of(backup)
        if location is None:
            raise BackupIncomplete(f"Nothing is stored of backup {backup.id}")
        self._clear_leftovers()
        with translated(f"Backup {backup.id}"):
            found = salvaging.salvage(
                self.backend.attachments_in(location.tenant),
                location,
                file,
                VerifyWatch(progress),
                self.settings.engine,
            )
        return found.commit.source_size, found.missing

    def stored_size(self, backup: Any) -> int | None:
        """Bytes that the blocks of this backup alone take; None while it is not finished."""
        location = record.location_of(backup)
        if location is None:
            return None
        with translated(f"Backup {backup.id}"), self._opened(location) as container:
            statistics = in_native_thread(container.commit_of, location.backup_id).statistics
            return statistics.stored_bytes

    def orphans(self) -> list[Orphan]:
        """Containers on the cluster that no record of this Cinder names."""
        with translated(f"Datera cluster {self.settings.cluster.address}"):
            return find_orphans(self.backend, self.context)

    def remove_orphan(self, name: str) -> None:
        """Delete one of them, if it still is one and provably this Cinder's own."""
        with translated(f"Container {name}"):
            remove_orphan(self.backend, self.context, name)

    def _clear_leftovers(self) -> None:
        with translated(f"Datera cluster {self.settings.cluster.address}"):
            self.backend.clear_leftovers()

    def _opened(self, location: record.Location) -> AbstractContextManager[Container]:
        attachments = self.backend.attachments_in(location.tenant)
        return containers.opened(attachments, location.container)
