# SPDX-License-Identifier: Apache-2.0
"""The real cloud of one walk: a Cinder of two projects and up to two hosts, over four backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from cinder import context, objects
from cinder.backup.rpcapi import BackupAPI
from cinder.quota import QUOTAS
from oslo_config import cfg
from oslo_utils import timeutils

from backup_dispatch.backends.configured import configured
from backup_dispatch.process import this_process
from datera_backup.storage import host as storage_host
from datera_backup.storage.backend import forget_backends
from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.faults.model.stores import Array, Folder, S3Store, Store, SwiftStore
from tests.fixtures.backends.contract_backends import datera_options
from tests.fixtures.backends.five_backends import make_room
from tests.fixtures.backends.s3_service import S3Endpoint
from tests.fixtures.backends.swift_service import SwiftService
from tests.fixtures.cinder import file_volume
from tests.fixtures.cinder.messaging import DirectContext
from tests.fixtures.cinder.service import HOST, CinderService, Forward
from tests.fixtures.faults.gate import Gate
from tests.functional.backup_dispatch.command.conftest import Ended, run_command

PROJECTS = ("a" * 32, "b" * 32)
BACKENDS = ("datera", "posix", "swift", "s3")
SECOND = "secondhost"
INITIATOR = "iqn.1993-08.org.debian:01:testhost"
GONE_SECONDS = 2 * 86400
"""Cinder takes a service for dead after one day here; see `tests.fixtures.cinder.environment`."""

# A backend that was away when the service started is up again after the next start: what a walk
# does must not depend on the time that it takes.
LINES = """\
backup_driver = backup_dispatch.driver.BackupDispatcher
enabled_backup_backends = {backends}
backup_driver_init_check_interval = 3600
{datera}
backup_datera_503_timeout = 0
{swift}
backup_swift_container = {name}
backup_swift_retry_backoff = 0
{s3}
backup_s3_timeout = 5
"""


class Cloud:
    """A cloud, used as its projects' users, its operator, and whoever breaks things.

    :param directory: private.
    :param size: bytes of a volume.
    """

    def __init__(
        self,
        directory: Path,
        *,
        template_folder: Path,
        swift: SwiftService,
        s3: S3Endpoint,
        size: int,
    ) -> None:
        self.directory = directory
        self._template_folder = template_folder
        self._servers = (swift, s3)
        self._size = size
        self._running = ExitStack()
        self._hosts: dict[str, Any] = {}

    def __enter__(self) -> Cloud:
        with ExitStack() as started:
            self._start(started)
            self._running = started.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._running.close()

    def _start(self, running: ExitStack) -> None:
        swift, s3 = self._servers
        name = self.directory.name.replace("_", "-")
        running.enter_context(mock.patch.object(file_volume, "SIZE_OF_A_GIB", self._size))
        # What failed is not tried again after a while: that it would fail again is certain here.
        running.enter_context(mock.patch.object(storage_host, "CONNECT_ATTEMPTS", 1))
        emulator = running.enter_context(Emulator(state_dir=self.directory / "array"))
        brick.install(INITIATOR)
        running.callback(brick.uninstall)
        gates = [running.enter_context(Gate(port)) for port in (swift.port, _port_of(s3.url))]
        lines = LINES.format(
            backends=", ".join(BACKENDS),
            datera=datera_options(emulator),
            swift=swift.cinder_options().replace(f":{swift.port}/", f":{gates[0].port}/"),
            s3=s3.cinder_options(name).replace(s3.url, f"http://127.0.0.1:{gates[1].port}"),
            name=name,
        )
        running.callback(forget_backends)
        self.cinder: Any = running.enter_context(
            CinderService(self.directory, template_folder=self._template_folder, defaults=lines)
        )
        running.callback(this_process().stop_checking)
        self._hosts[HOST] = Forward(self.cinder, "backup_manager")
        running.enter_context(mock.patch.object(BackupAPI, "_get_cctxt", self._wire))
        self.array = Array(emulator)
        self.stores: dict[str, Store] = {
            "datera": self.array,
            "posix": Folder(self.directory / "posix"),
            "swift": SwiftStore(swift, name, gates[0]),
            "s3": S3Store(s3, name, gates[1]),
        }
        self.wait_until_checked(BACKENDS)
        for project in PROJECTS:
            with self.acting(project) as cinder:
                make_room(cinder, backups=-1)
                # In the end each backup is restored to a volume of its own.
                cinder.backups.db.quota_create(cinder.context, project, "volumes", -1)

    def _wire(self, server: str | None = None, **_options: Any) -> DirectContext:
        """A message goes to the manager of the host that it is for."""
        return DirectContext(self._hosts[server or HOST], self.cinder.failures)

    # Who acts

    @contextmanager
    def acting(self, project: str, *, operator: bool = False) -> Iterator[Any]:
        """Let the fixture's calls be those of a project's user, or of an operator in it."""
        before = self.cinder.context
        self.cinder.context = context.RequestContext(
            "user",
            project,
            is_admin=operator,
            roles=["admin", "member", "reader"] if operator else ["member", "reader"],
        )
        try:
            yield self.cinder
        finally:
            self.cinder.context = before

    @property
    def run(self) -> Callable[..., Ended]:
        """Runs a command of ``backup-dispatch``."""
        return partial(run_command, self.directory / "cinder.conf")

    # What there is

    def records(self) -> dict[str, Any]:
        """All records of backups, of all projects."""
        found = objects.BackupList.get_all(self.cinder.context_for_services())
        return {one.id: one for one in found}

    def seen_by(self, project: str) -> set[str]:
        """The backups that a project's user is shown."""
        with self.acting(project) as cinder:
            return {one.id for one in cinder.backups.get_all(cinder.context)}

    def content(self, volume_id: str) -> bytes:
        """A volume's bytes."""
        volume = objects.Volume.get_by_id(self.cinder.context_for_services(), volume_id)
        data: bytes = self.cinder.read(volume, 0, self._size + 1)
        return data

    def forget(self, record: Any, *, thoroughly: bool) -> None:
        """Remove a record and count its project's quota down, as if it had never been here.

        :param thoroughly: its owner, too: Cinder revives a deleted record at an import.
        """
        if thoroughly:
            record.service = None
            record.save()
        reservations = QUOTAS.reserve(
            self.cinder.context_for_services(),
            project_id=record.project_id,
            backups=-1,
            backup_gigabytes=-record.size,
        )
        record.destroy()
        QUOTAS.commit(
            self.cinder.context_for_services(), reservations, project_id=record.project_id
        )

    # What happens to it

    def restart(self) -> None:
        """The service's process ends, and another one begins."""
        this_process().stop_checking()
        forget_backends()
        self.cinder.restart_backup_manager()
        if SECOND in self._hosts:
            self._hosts[SECOND] = self.cinder.start_backup_manager(SECOND)

    def wait_until_checked(self, up: Any) -> None:
        """Return once the first check of these backends has passed."""
        health = this_process().health(configured(cfg.CONF), cfg.CONF)
        for name in up:
            health.require(name)

    @property
    def has_second_host(self) -> bool:
        """Whether another host works on the same records."""
        return SECOND in self._hosts

    def is_up(self, host: str) -> bool:
        """Whether a host works."""
        return host in self._hosts

    def host_comes(self) -> None:
        """A second host of cinder-backup, which shares the first one's folder."""
        self._hosts[SECOND] = self.cinder.start_backup_manager(SECOND)

    def host_goes(self) -> None:
        """It does not report any more."""
        del self._hosts[SECOND]
        service = objects.Service.get_by_args(
            self.cinder.context_for_services(), SECOND, "cinder-backup"
        )
        service.updated_at = timeutils.utcnow() - timeutils.datetime.timedelta(seconds=GONE_SECONDS)
        service.save()


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2])
