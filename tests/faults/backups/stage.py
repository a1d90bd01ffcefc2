# SPDX-License-Identifier: Apache-2.0
"""One Cinder and one cluster for thousands of failures: what holds between two of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.faults.backups.stored import Stored
from tests.faults.backups.volume import BLOCK, BLOCKS, CHANGED, content_of
from tests.fixtures.datera.one_container import MINE
from tests.fixtures.faults.failing_requests import FailingSession
from tests.fixtures.faults.mocked_time import MockedTime
from tests.fixtures.faults.saved_cluster import SavedCluster, SavedFile, SavedRecords

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

PATIENCE = 3600.0
"""Seconds that an operation may sleep in all, whatever fails; a deletion waits a day for a lock."""


WEST = "west"
"""Another backend, and its tenant: it is the same cluster, and the same session."""


class World:
    """What was saved, to begin with again: the cluster, and the records."""

    def __init__(self, stage: Stage, name: str, backups: dict[str, str]) -> None:
        self.name = name
        self.backups = backups
        self._cluster = SavedCluster(stage.emulator)
        self._records = SavedRecords(stage.engine)
        self._initiators = set(stage.cluster._session.own_initiators)
        self._stage = stage

    def restore(self) -> None:
        """Make everything as it was."""
        stage = self._stage
        stage.forget_host()
        self._cluster.restore()
        self._records.restore()
        stage.cluster._session.own_initiators = set(self._initiators)
        stage.log_in()


class Stage(Stored):
    """A Cinder's database and its backup driver's process, which time does not pass in.

    :param service: a Cinder that runs.
    :ivar devices_fail: whether what is read of devices may be damaged.
    """

    devices_fail = False

    def __init__(self, service: CinderService, emulator: Emulator) -> None:
        from tests.fixtures.cinder.database import one_engine

        self.service = service
        self.context = service.context
        self.emulator = emulator
        self.engine = one_engine().engine
        self.folder = service.directory
        self.time = MockedTime(PATIENCE)
        self.session = FailingSession(emulator)
        self.volume = service.create_volume(1)
        self.disks.mkdir()
        for day in range(len(CHANGED)):
            self.source(day).write_bytes(content_of(day))

    @property
    def backend(self) -> Any:
        """What the process keeps of the backend."""
        return self.driver.backend

    @property
    def cluster(self) -> Any:
        """The driver's session with the cluster."""
        return self.backend.cluster

    def empty_target(self, filling: bytes) -> None:
        """Let the volume to restore to hold something else."""
        self.target.write_bytes(filling * (BLOCK * BLOCKS))

    @contextmanager
    def full_containers(self) -> Iterator[None]:
        """Let each backup go into a container of its own."""
        from datera_backup.container.format import superblock

        with mock.patch.object(superblock, "MAX_ENTRIES", 1):
            yield

    # Between two failures

    def log_in(self) -> None:
        """See that the session's key is good: a login would be further requests."""
        key = self.cluster._session._auth._key
        if key is None or not self.emulator.cluster.tokens.use(key):
            self.cluster.login()

    def end_session(self) -> None:
        """Let the process have neither a session nor any knowledge of the cluster."""
        from datera_backup.storage import backend

        backend.forget_backends()

    def forget_host(self) -> None:
        """Forget what this host and this process have of containers, whatever state it is in."""
        from tooz.drivers.file import FileDriver

        from datera_backup.storage import leftovers, uses

        self.session.heal()
        self.time.pass_by(PATIENCE)
        uses._USES.clear()
        FileDriver._barriers.clear()
        self.forget_process()
        brick.uninstall()
        brick.install(MINE)
        for path in self.lock_files():
            with suppress(FileNotFoundError):
                path.unlink()
        place = self.backend.attachments._place
        for tenant in (place.tenant, f"{place.tenant}/{WEST}"):
            assert leftovers.begin_sweep(place._replace(tenant=tenant))

    @staticmethod
    def forget_process() -> None:
        """Forget what a process forgets that ends."""
        from datera_backup.storage import leftovers

        leftovers.forget_all()

    def clear_leftovers(self) -> None:
        """Close what was left open, as the next use of each backend does."""
        backend = self.backend
        backend.clear_leftovers()
        backend.attachments_in(f"/root/{WEST}").clear_leftovers()

    def lock_files(self) -> Iterator[Path]:
        """The files of locks on containers."""
        for folder in ("locks", "coordination"):
            yield from (self.folder / folder).glob("*backup-*-*-*-*-*")

    def fingerprint(self) -> object:
        """All that what comes next depends on, the same for the same state."""
        from datera_backup.storage import leftovers

        cluster, session = self.emulator.cluster, self.cluster._session
        things = []
        for instance in cluster.app_instances.values():
            for storage, volume in instance.volumes():
                file = SavedFile.of(cluster.files.path(volume.file))
                about = (instance.name, instance.tenant, instance.admin_state, instance.descr)
                things.append((*about, tuple(storage.initiators), volume.size, file))
        key = session._auth._key
        return (
            tuple(sorted(things)),
            tuple(sorted(cluster.initiators)),
            tuple(self.records()),
            tuple(sorted(path.name for path in self.lock_files())),
            tuple(leftovers.noted(self.backend.attachments._place)),
            tuple(sorted(session.own_initiators)),
            key is not None and cluster.tokens.use(key),
        )

    def open_files(self) -> list[str]:
        """Files with containers' bytes that this process has open."""
        found = []
        for descriptor in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{descriptor}")
                if f"{self.folder}/array/data" in path:
                    found.append(path)
        return found
