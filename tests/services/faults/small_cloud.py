# SPDX-License-Identifier: Apache-2.0
"""A cloud whose services are killed: Cinder without Keystone, on RabbitMQ, MariaDB and etcd."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datera_emulator import Emulator
from demo.servers.cinder_conf import Array
from demo.servers.ini import Sections
from demo.servers.processes import environment
from tests.fixtures.answering_process import AnsweringProcess
from tests.services.faults.requests_to_cinder import Requests
from tests.services.faults.steps import Steps
from tests.services.stack.cinder import Cinder
from tests.services.stack.cinder_conf import DISPATCHER, array_backend
from tests.services.stack.servers.daemons import Daemons
from tests.services.stack.servers.etcd import Etcd
from tests.services.stack.servers.loopback import HOST
from tests.services.stack.servers.mariadb import MariaDb
from tests.services.stack.servers.rabbitmq import RabbitMq

SECONDS = 180.0
BACKEND = "array"
RPC_SECONDS = 20
"""How long a service waits for the answer of one that was killed."""


@dataclass
class Process:
    """A process that was forked for a program.

    :ivar steps: those that it makes.
    :ivar log: of all processes of this name.
    """

    pid: int
    steps: Steps
    log: Path
    _handle: int

    def has_ended(self, seconds: float = 0) -> bool:
        """Whether it has ended, or does so within so many seconds."""
        if self._handle < 0:
            return True
        return bool(select.select([self._handle], [], [], seconds)[0])

    def is_stopped(self) -> bool:
        """Whether it stands still, as after SIGSTOP."""
        try:
            told = Path(f"/proc/{self.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return told.rpartition(")")[2].split()[0] == "T"

    def kill(self) -> None:
        """Kill it and its children, if it was not killed before."""
        if self._handle < 0:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.has_ended(SECONDS)
        os.close(self._handle)
        self._handle = -1


class SmallCloud:
    """The servers, and the program that forks the services.

    :param directory: private; everything is below it.
    :ivar array: the emulated cluster, in this process.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.servers = Daemons(directory / "log")
        self.messages = RabbitMq(directory / "rabbitmq", self.servers)
        self.database = MariaDb(directory / "mariadb", self.servers)
        self.etcd = Etcd(directory / "etcd", self.servers)
        self.cinder = Cinder(directory / "cinder", self.servers)
        self.array = Emulator(state_dir=directory / "array", transport="file")
        self.requests = Requests(f"http://{HOST}:{self.cinder.api_port}")
        command = [sys.executable, "-m", "tests.services.faults.preloaded"]
        (directory / "log").mkdir()
        log = directory / "log" / "preloaded.log"
        self._forks = AnsweringProcess(command, environment(), log)
        self._one_order = threading.Lock()
        self._launched: list[Process] = []

    def start(self) -> None:
        """Start everything but the services that are killed."""
        self.messages.launch()
        self.array.start()
        with ThreadPoolExecutor() as side:
            etcd = side.submit(self.etcd.start)
            side.submit(self._forks.ask, {"program": ""}, seconds=SECONDS)
            self.database.launch()
            self.database.await_ready()
            etcd.result()
            self.cinder.configure(self._sections())
            self.cinder.make_database()
            self.messages.await_ready()
        self.cinder.launch_api_and_scheduler()
        self.cinder.await_api()

    def stop(self) -> None:
        """Kill everything."""
        self._forks.close(seconds=0)
        for process in self._launched:
            process.kill()
        for server in reversed(list(self.servers)):
            self.servers.kill(server)
        self.array.stop()

    def launch(self, program: str, host: str, *words: str, sections: Sections) -> Process:
        """Start one of Cinder's services on a host, or a command there."""
        place = self.directory / "cinder" / host
        (place / "tmp").mkdir(parents=True, exist_ok=True)
        self.cinder.configure_host(host, sections)
        steps, log = place / f"{program}.steps", place / f"{program}.log"
        counted = Steps(steps)
        order = {
            "program": program,
            "arguments": [*self.cinder.arguments(host), *words],
            "initiator": initiator(host),
            "env": {"TMPDIR": str(place / "tmp")},
            "steps": str(steps),
            "log": str(log),
        }
        with self._one_order:
            pid = self._forks.ask(order, seconds=SECONDS)["pid"]
            process = Process(pid, counted, log, _handle_of(pid))
            self._launched.append(process)
        return process

    def file_of(self, name: str) -> Path:
        """The data of the only app instance whose name ends so."""
        cluster = self.array.cluster
        with cluster.lock:
            (found,) = [one for one in cluster.app_instances.values() if one.name.endswith(name)]
            ((_, volume),) = found.volumes()
            return cluster.files.path(volume.file)

    def _sections(self) -> Sections:
        shipped = Path(sys.prefix) / "etc" / "cinder"
        where = self.where
        return {
            "DEFAULT": {
                "use_stderr": "true",
                "transport_url": self.messages.url,
                "auth_strategy": "noauth",
                "api_paste_config": shipped / "api-paste.ini",
                "resource_query_filters_file": shipped / "resource_filters.json",
                "rootwrap_config": shipped / "rootwrap.conf",
                "osapi_volume_listen": HOST,
                "osapi_volume_listen_port": self.cinder.api_port,
                "osapi_volume_workers": 1,
                "my_ip": HOST,
                "enabled_backends": BACKEND,
                "scheduler_driver_init_wait_time": 1,
                # Else it is the volume's host that makes backups; so it is a host of the zone.
                "backup_use_same_host": "false",
                "report_interval": 5,
                "service_down_time": 120,
                "rpc_response_timeout": RPC_SECONDS,
                "backup_driver": DISPATCHER,
                "enabled_backup_backends": "datera, posix",
                "backup_datera_san_ip": where.host,
                "backup_datera_san_login": where.username,
                "backup_datera_san_password": where.password,
                "backup_datera_api_port": where.port,
                "backup_datera_ssl_cert_verify": "true",
                "backup_datera_ssl_cert_path": where.ca_bundle,
                "backup_datera_503_timeout": 10,
                "backup_datera_503_interval": 1,
                "backup_compression_algorithm": "zstd",
                "backup_driver_init_check_interval": 5,
                **dict.fromkeys(
                    ("quota_volumes", "quota_gigabytes", "quota_backups", "quota_backup_gigabytes"),
                    -1,
                ),
            },
            BACKEND: array_backend(where, BACKEND, tenant="/root"),
            "database": {"connection": self.database.url("cinder")},
            "oslo_messaging_rabbit": {"rabbit_quorum_queue": "false"},
        }

    @property
    def where(self) -> Array:
        """How the cluster is reached."""
        array = self.array
        return Array(
            host=HOST,
            port=array.https_port,
            username=array.username,
            password=array.password,
            ca_bundle=str(array.ca_bundle),
        )


def _handle_of(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:  # it has ended by now
        return -1


def initiator(host: str) -> str:
    """A host's initiator."""
    return f"iqn.2026-01.org.example:{host}"
