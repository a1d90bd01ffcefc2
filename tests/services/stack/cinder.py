# SPDX-License-Identifier: Apache-2.0
"""Cinder as in a cloud: one process per service, cinder-backup on two hosts."""

from __future__ import annotations

import subprocess
import sys
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path
from urllib import request
from urllib.error import HTTPError

from demo.servers.ini import Sections, write_ini
from demo.servers.processes import Server, environment
from demo.waiting import until
from tests.services.stack.servers.daemons import Daemons
from tests.services.stack.servers.loopback import HOST, free_port

BIN = Path(sys.prefix) / "bin"
BACKUP_HOSTS = ("backup-one", "backup-two")
VOLUME_HOST = "volumes"
SECONDS = 180.0


class Cinder:
    """The services' processes.

    :param directory: private; everything lies below it.
    """

    def __init__(self, directory: Path, servers: Daemons) -> None:
        self._directory = directory
        self._servers = servers
        self.api_port = free_port()
        self.processes: dict[str, Server] = {}
        self._own: dict[str, Sections] = {}

    @property
    def url(self) -> str:
        """The API's endpoint for the catalogue."""
        return f"http://{HOST}:{self.api_port}/v3/%(project_id)s"

    def configure(self, sections: Sections) -> None:
        """Write cinder.conf, for the services that will be started."""
        self._directory.mkdir(parents=True, exist_ok=True)
        write_ini(self._directory / "cinder.conf", sections)

    def configure_host(self, host: str, sections: Sections) -> None:
        """Give a host's own file further lines, for services that will be started there."""
        self._own[host] = sections

    def make_database(self) -> None:
        """Make the database's tables."""
        arguments = self.arguments("database")
        with (self._directory / "db-sync.log").open("wb") as log:
            subprocess.run(
                [BIN / "cinder-manage", *arguments, "db", "sync"],
                env=environment(), stdout=log, stderr=log, timeout=SECONDS, check=True,
            )  # fmt: skip

    def launch_api_and_scheduler(self) -> None:
        """Start the two; `await_api` must follow."""
        self._launch("cinder-api", "api", attaching=False)
        self._launch("cinder-scheduler", "scheduler", attaching=False)

    def await_api(self) -> None:
        """Return once the API answers."""
        until("cinder-api", self._api_answers, seconds=SECONDS)

    def launch_volume(self) -> None:
        """Start cinder-volume."""
        self._launch("cinder-volume", VOLUME_HOST)

    def launch_volume_of_cluster(self, host: str, sections: Sections) -> None:
        """Start a further cinder-volume, on a host of its own.

        :param sections: what its cinder.conf says beside that of all services.
        """
        self.configure_host(host, sections)
        self._launch("cinder-volume", host)

    def launch_backup(self, host: str) -> None:
        """Start cinder-backup on one of the two hosts."""
        self._launch("cinder-backup", host)

    def kill(self, host: str) -> None:
        """Kill a host's service, as ``kill -9`` does."""
        self._servers.kill(self.processes.pop(host))

    def stop(self, host: str) -> None:
        """Stop a host's service, as its init system does."""
        self._servers.dismiss(self.processes.pop(host), seconds=60)

    def silent(self, host: str) -> AbstractContextManager[None]:
        """Pause a host's service during the block."""
        return self._servers.silent(self.processes[host])

    def log(self, host: str) -> str:
        """Return what a host's service has logged so far."""
        return self.processes[host].log.read_text(errors="replace")

    def manage(self, host: str, *words: str) -> str:
        """Run cinder-manage with a host's configuration, and return its output."""
        command: list[str | Path] = [BIN / "cinder-manage", *self.arguments(host), *words]
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=True
        )
        return str(done.stdout)

    def _launch(self, program: str, host: str, *, attaching: bool = True) -> None:
        arguments = self.arguments(host)
        command: list[str | Path] = [BIN / program, *arguments]
        if attaching:
            runner = [sys.executable, "-m", "datera_emulator.with_connector"]
            command = [*runner, program, *arguments]
        scratch = self._directory / host / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        self.processes[host] = self._servers.launch(
            host if host in (*BACKUP_HOSTS, *self._own) else program,
            command,
            env={
                "TMPDIR": str(scratch),
                "DATERA_EMULATOR_INITIATOR": f"iqn.2026-01.org.example:{host}",
            },
        )

    def arguments(self, host: str) -> list[str]:
        """Return the arguments for both configuration files, after writing the host's own."""
        place = self._directory / host
        beside = self._own.get(host, {})
        own: Sections = {
            **beside,
            "DEFAULT": {**beside.get("DEFAULT", {}), "host": host, "state_path": place},
            "oslo_concurrency": {"lock_path": place / "locks"},
        }
        (place / "locks").mkdir(parents=True, exist_ok=True)
        files = (self._directory / "cinder.conf", write_ini(place / "host.conf", own))
        return [word for file in files for word in ("--config-file", str(file))]

    def _api_answers(self) -> bool:
        self._servers.check()
        try:
            request.urlopen(f"http://{HOST}:{self.api_port}/", timeout=5).close()
        except HTTPError as answer:
            if answer.code != HTTPStatus.MULTIPLE_CHOICES:  # the list of API versions
                raise
        return True
