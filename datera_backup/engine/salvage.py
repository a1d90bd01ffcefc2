# SPDX-License-Identifier: Apache-2.0
"""Salvaging a backup from those of its containers that still exist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from datera_backup.container import (
    BackupNotInContainer,
    BackupReader,
    Commit,
    Container,
    ContainerError,
    ContainerTooNew,
    Device,
    LayoutDamaged,
    NotAContainer,
    notices,
)
from datera_backup.container.scanning import Scan, scan
from datera_backup.engine.recovery import Missing, recover
from datera_backup.engine.restore import Damage, RestoreJob
from datera_backup.engine.settings import EngineSettings
from datera_backup.engine.sink import Sink

Tell = Callable[[int, int], None]
"""Called now and then with the bytes that are done and those in all."""

_SLICE_SECONDS = 0.2
_NOTHING = "No device holds a record of a container."


@dataclass(frozen=True)
class Salvageable:
    """A backup of which at least the commit record is there.

    :ivar by_scan: whether it was found without a superblock.
    """

    commit: Commit
    by_scan: bool


@dataclass(frozen=True)
class Salvaged:
    """What came of it.

    :ivar missing: in the order of the volume.
    """

    commit: Commit
    missing: Sequence[Missing]

    @property
    def missing_bytes(self) -> int:
        """Bytes of the volume that are not there."""
        return sum(one.length for one in self.missing)


class Salvaging:
    """The containers of a chain, or those that there still are, each opened or else scanned."""

    def __init__(self, devices: Sequence[Device], tell: Tell = lambda _done, _all: None) -> None:
        """Open what can be opened, and do without devices that hold not a single record.

        :param tell: of how much of a device was scanned.
        :raises NotAContainer: none of them does.
        :raises ContainerTooNew: another version wrote one of them.
        """
        self._tell = tell
        self._scans: dict[int, Scan] = {}
        self._devices = devices
        found = {number: self._home(number) for number in range(len(devices))}
        self._homes = [home for home in found.values() if home is not None]
        self._numbers = [number for number, home in found.items() if home is not None]
        if not self._homes:
            raise NotAContainer(_NOTHING)

    def backups(self) -> list[Salvageable]:
        """Return the backups that there are, oldest first."""
        found = []
        for home in self._homes:
            by_scan = isinstance(home, Scan)
            for backup_id in home.commits if isinstance(home, Scan) else home.committed:
                try:
                    found.append(Salvageable(home.commit_of(backup_id), by_scan))
                except LayoutDamaged as exc:
                    notices.tell(str(exc))
        return sorted(found, key=lambda one: one.commit.created)

    def reader(self, backup_id: UUID) -> BackupReader:
        """Return what reads a backup.

        :raises BackupNotInContainer: none of the devices has its commit record.
        """
        damage: ContainerError | None = None
        for home in self._homes:
            try:
                return BackupReader(home, backup_id, self._homes)
            except LayoutDamaged as exc:
                damage = exc
            except ContainerError:
                continue
        raise damage or BackupNotInContainer(backup_id, self._homes[0].id)

    def salvage(
        self,
        reader: BackupReader,
        sink: Sink,
        settings: EngineSettings,
        tell: Tell = lambda _done, _all: None,
    ) -> Salvaged:
        """Write all that is sound of a backup, and say what is missing.

        :param sink: reads as zeros.
        :param tell: of how much of the volume was looked at.
        """
        damage: list[Damage] = []
        job = RestoreJob(
            reader, sink, write_zeros=False, settings=settings, on_damage=damage.append
        )
        job.start()
        try:
            while not job.wait(_SLICE_SECONDS):
                tell(job.progress.done, job.progress.total)
        except BaseException:
            job.cancel()
            job.wait()
            raise
        job.result()
        missing = recover(reader, damage, self._all_scans, sink)
        sink.flush()
        return Salvaged(reader.commit, missing)

    def _home(self, number: int) -> Scan | Container | None:
        try:
            return Container.open(self._devices[number])
        except ContainerTooNew as exc:
            if len(self._devices) == 1:
                raise
            notices.tell(f"Device {number + 1} of {len(self._devices)} is ignored: {exc}")
            return None
        except (LayoutDamaged, NotAContainer) as exc:
            notices.tell(f"{exc} It is scanned.")
        try:
            return self._scan(number)
        except NotAContainer as nothing:
            notices.tell(f"Device {number + 1} of {len(self._devices)} is ignored: {nothing}")
            return None

    def _scan(self, number: int) -> Scan:
        if number not in self._scans:
            self._scans[number] = scan(self._devices[number], self._tell)
        return self._scans[number]

    def _all_scans(self) -> list[Scan]:
        return [self._scan(number) for number in self._numbers]
