# SPDX-License-Identifier: Apache-2.0
"""The complete cloud: brokers, stores, Keystone and Cinder, all on free loopback ports."""

from __future__ import annotations

import contextlib
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from demo.servers.cinder_conf import Array
from demo.servers.processes import Server
from demo.servers.swift_server import SwiftServer
from demo.waiting import NotYet, until
from tests.services.stack.cinder import BACKUP_HOSTS, VOLUME_HOST, Cinder
from tests.services.stack.cinder_conf import (
    DISPATCHER,
    VOLUME_BACKENDS,
    Neighbours,
    cinder_sections,
)
from tests.services.stack.client import Client
from tests.services.stack.disks import Disks
from tests.services.stack.people import ADMIN, SERVICE, USERS, People
from tests.services.stack.servers.ceph import Ceph
from tests.services.stack.servers.daemons import Daemons
from tests.services.stack.servers.loopback import HOST
from tests.services.stack.servers.mariadb import MariaDb
from tests.services.stack.servers.rabbitmq import RabbitMq

SECONDS = 300.0
WORKS = "backup service update: {'backend_state': True"
"""The scheduler's log message, without the host, once a cinder-backup host works."""
ANSWER_SECONDS = 15.0
"""Seconds; a message to a service that is just starting may be lost: then it is sent again."""


class Cloud:
    """Starts all servers, and gives access to them.

    :param directory: private to this run; everything is below it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.servers = Daemons(directory / "log")
        self.people = People()
        self.messages = RabbitMq(directory / "rabbitmq", self.servers)
        self.database = MariaDb(directory / "mariadb", self.servers)
        self.ceph = Ceph(directory / "ceph", self.servers)
        self.cinder = Cinder(directory / "cinder", self.servers)
        self._clients: dict[str, Client] = {}
        self._disks: dict[str, Disks] = {}
        self._told = dict.fromkeys(BACKUP_HOSTS, 0)
        self._backup_driver = DISPATCHER
        self._emulator: Server | None = None

    def start(self) -> None:
        """Start everything; returns once every Cinder service is up.

        :raises demo.servers.processes.ServerFailed: a server does not come up.
        """
        keystone = self._launch_keystone()
        self._launch_emulator(https_port=0)
        self.messages.launch()
        with ThreadPoolExecutor() as side:
            stores = side.submit(self.ceph.start)
            self.database.launch()
            self.database.await_ready()
            self.servers.await_ready(keystone)
            self.people.make_users()
            self.swift = self._make_swift()
            self._swift_server = self.swift.launch()
            self.servers.await_ready(self._swift_server)
            self._configure_cinder()
            self.cinder.make_database()
            stores.result()
            self.messages.await_ready()
            gateway = side.submit(self.ceph.start_gateway)
            # The other services report their capabilities to the scheduler once, when they start.
            self.cinder.launch_api_and_scheduler()
            self.cinder.await_api()
            swift_url = f"http://{HOST}:{self.swift.port}/v1/KEY_%(project_id)s"
            self.people.make_catalogue(
                {
                    ("block-storage", "cinder"): self.cinder.url,
                    ("object-store", "swift"): swift_url,
                }
            )
            self.await_services({("cinder-scheduler", "scheduler")})
            gateway.result()
        self.cinder.launch_volume()
        for host in BACKUP_HOSTS:
            self.cinder.launch_backup(host)
        backends = [f"{VOLUME_HOST}@{name}" for name in VOLUME_BACKENDS]
        self.await_services(
            {("cinder-backup", host) for host in BACKUP_HOSTS}
            | {("cinder-volume", backend) for backend in backends}
        )
        self._await_told("volume service update", dict.fromkeys(backends, 0))
        self.await_work()
        self.make_types()

    def stop(self) -> None:
        """Kill everything; unwritten data is discarded with the rest."""
        for client in self._clients.values():
            client.close()
        for disks in self._disks.values():
            disks.close()
        for server in reversed(list(self.servers)):
            self.servers.kill(server)

    def client(self, user: str) -> Client:
        """Return a user's client."""
        if user not in self._clients:
            clouds_yaml = self.directory / "clouds.yaml"
            if not clouds_yaml.exists():
                self.people.write_clouds(clouds_yaml)
            log = self.directory / "log" / f"client-{user}.log"
            self._clients[user] = Client(clouds_yaml, user, log)
        return self._clients[user]

    def disks(self, user: str) -> Disks:
        """Return a user's host, where volumes are attached."""
        if user not in self._disks:
            log = self.directory / "log" / f"disks-{user}.log"
            locks = self.directory / "disk-locks"
            self._disks[user] = Disks(self.people.words(user), locks, log)
        return self._disks[user]

    def restart_backup(self, *hosts: str) -> None:
        """Restart cinder-backup on hosts; returns once each serves.

        A starting service first updates its record, then fails its interrupted operations
        according to the records, including a restore that is requested too early; only then
        it serves, and reports that regularly.
        """

        def beat(host: str) -> Any:
            found = self.database.query("SELECT report_count FROM services WHERE host = %s", host)
            return found[0]["report_count"]

        before = {host: beat(host) for host in hosts}
        for host in hosts:
            self._told[host] = self._told_by(host, WORKS)
            self.cinder.launch_backup(host)

        def all_beat() -> bool:
            self.servers.check()
            if silent := [host for host in hosts if beat(host) == before[host]]:
                raise NotYet(f"nothing of {', '.join(silent)}")
            return True

        until(f"cinder-backup on {', '.join(hosts)}", all_beat, seconds=SECONDS)

    def await_work(self) -> None:
        """Wait until Cinder's scheduler knows that each cinder-backup host accepts new backups.

        If the driver's check takes long, as that of Cinder's Ceph driver, the scheduler is
        first told that the host does not work, and a minute later that it does.
        """
        self._await_told(WORKS, self._told)

    def _await_told(self, what: str, before: Mapping[str, int]) -> None:
        """Wait until hosts have reported to the scheduler again."""

        def all_told() -> bool:
            self.servers.check()
            if silent := [
                one for one, times in before.items() if self._told_by(one, what) <= times
            ]:
                raise NotYet(f"nothing of {', '.join(silent)}")
            return True

        until(f"{what} for cinder-scheduler", all_told, seconds=SECONDS)

    def _told_by(self, host: str, what: str) -> int:
        kind, _, beginning = what.partition(": ")
        # A volume backend that is in no cluster has two spaces there.
        words = rf"Received {kind} from +{re.escape(host)}: {re.escape(beginning)}"
        return len(re.findall(words, self.cinder.log("scheduler")))

    def disable_backup(self, host: str) -> None:
        """Disable cinder-backup on a host for restores and deletions, as an administrator."""
        # Without a reason, Cinder 29 reports success and does nothing.
        reason = ("--disable-reason", "another host shall do it")
        self.client(ADMIN)("volume", "service", "set", "--disable", *reason, host, "cinder-backup")

    def enable_backup(self, host: str) -> None:
        """Undo `disable_backup`."""
        # Cinder 29's API reports that it enables a service, and does nothing.
        self.database.change("UPDATE services SET disabled = 0 WHERE host = %s", host)

    def switch_backup_driver(self, driver: str = DISPATCHER) -> None:
        """Set this driver on both cinder-backup hosts, as an operator would."""
        if driver == self._backup_driver:
            return
        # Neither, until both hosts are back: a failure half-way can be repeated.
        self._backup_driver = ""
        self._configure_cinder(driver)
        for host in BACKUP_HOSTS:
            if host in self.cinder.processes:
                self.cinder.stop(host)
        self.restart_backup(*BACKUP_HOSTS)
        self._backup_driver = driver

    @contextlib.contextmanager
    def swift_away(self) -> Iterator[None]:
        """Keep Swift down during the block."""
        self.servers.kill(self._swift_server)
        try:
            yield
        finally:
            self._swift_server = self.swift.launch()
            self.servers.await_ready(self._swift_server)

    @contextlib.contextmanager
    def ceph_away(self) -> Iterator[None]:
        """Keep Ceph and its gateway down during the block."""
        self.ceph.stop()
        try:
            yield
        finally:
            self.ceph.start_again()

    @contextlib.contextmanager
    def array_away(self) -> Iterator[None]:
        """Keep the Datera cluster down during the block."""
        array = self.array
        if self._emulator is not None:
            self.servers.kill(self._emulator)
        try:
            yield
        finally:
            self._launch_emulator(https_port=array.port)

    def array_silent(self) -> contextlib.AbstractContextManager[None]:
        """Pause the Datera cluster during the block; requests wait."""
        if self._emulator is None:
            raise RuntimeError("the emulator has not been started")
        return self.servers.silent(self._emulator)

    def make_types(self) -> None:
        """Create a volume type for each volume backend, and raise the projects' quotas."""
        admin = self.client(ADMIN)
        for name in VOLUME_BACKENDS:
            admin("volume", "type", "create", name, "--property", f"volume_backend_name={name}")
        limits = ("--backups", "--backup-gigabytes", "--volumes", "--gigabytes", "--snapshots")
        for project in USERS.values():
            admin("quota", "set", *(word for name in limits for word in (name, "-1")), project)

    def services_up(self, *, seconds: float = ANSWER_SECONDS) -> dict[tuple[str, str], str]:
        """Return the state of each Cinder service, by program and host.

        :param seconds: within which Cinder's API must answer.
        """
        admin = self.people.connection(ADMIN, seconds=seconds)
        listed = admin.block_storage.services()
        return {(service.binary, service.host): service.state for service in listed}

    def await_services(self, wanted: set[tuple[str, str]]) -> None:
        """Wait until these Cinder services are up, by program and host."""

        def all_up() -> bool:
            self.servers.check()
            states = self.services_up()
            if lacking := sorted(one for one in wanted if states.get(one) != "up"):
                raise NotYet(
                    "; ".join(f"{' on '.join(one)} {states.get(one, 'unknown')}" for one in lacking)
                )
            return True

        until("Cinder's services", all_up, seconds=SECONDS)

    def _launch_keystone(self) -> Server:
        directory = self.directory / "keystone"
        directory.mkdir(parents=True)
        with contextlib.closing(socket.create_server((HOST, 0), backlog=128)) as listener:
            port = listener.getsockname()[1]
            self.people.keystone_url = f"http://{HOST}:{port}/v3"
            descriptor = listener.fileno()
            return self.servers.launch(
                "keystone",
                [sys.executable, "-m", "demo.servers.keystone_server", directory, str(descriptor)],
                env={"DEMO_ADMIN_PASSWORD": self.people.password(ADMIN)},
                descriptors=[descriptor],
            )

    def _launch_emulator(self, https_port: int) -> None:
        self._emulator = self.servers.launch(
            "emulator",
            [
                sys.executable, "-m", "datera_emulator", "serve", "--transport", "file",
                "--state-dir", str(self.directory / "datera"),
                "--http-port", "0", "--https-port", str(https_port),
            ],
        )  # fmt: skip
        self.servers.await_ready(self._emulator)

    @property
    def array(self) -> Array:
        """The Datera cluster."""
        if self._emulator is None:
            raise RuntimeError("the emulator has not been started")
        ready: dict[str, Any] = self._emulator.ready
        return Array(
            host=HOST,
            port=ready["https_port"],
            username=ready["username"],
            password=ready["password"],
            ca_bundle=ready["ca_bundle"],
        )

    def _make_swift(self) -> SwiftServer:
        """Return a Swift for tempauth's users, and for Keystone's under another prefix."""
        login = self.people.authentication(SERVICE)
        return SwiftServer(
            self.directory / "swift",
            self.servers,
            filters={
                "authtoken": {
                    "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory",
                    "www_authenticate_uri": login["auth_url"],
                    "auth_type": "password",
                    **login,
                    "delay_auth_decision": "true",
                },
                "keystoneauth": {
                    "use": "egg:swift#keystoneauth",
                    "reseller_prefix": "KEY",
                    "operator_roles": "admin, member",
                },
            },
        )

    def _configure_cinder(self, backup_driver: str = DISPATCHER) -> None:
        neighbours = Neighbours(
            messages_url=self.messages.url,
            database_url=self.database.url("cinder"),
            locks_url=self.database.locks_url,
            keystone=self.people.authentication(SERVICE),
            array=self.array,
            ceph=self.ceph,
            swift_v1={
                "backup_swift_url": f"http://{HOST}:{self.swift.port}/v1/AUTH_",
                "backup_swift_auth_url": self.swift.auth_url,
                "backup_swift_user": self.swift.user,
                "backup_swift_key": self.swift.key,
            },
        )
        self.cinder.configure(
            cinder_sections(
                self.directory / "cinder", self.cinder.api_port, backup_driver, neighbours
            )
        )
