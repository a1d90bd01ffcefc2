# SPDX-License-Identifier: Apache-2.0
"""The demo's cloud: a Datera emulator, Swift, Keystone and Cinder, all on free loopback ports."""

import contextlib
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.servers.cinder_conf import Array, Neighbours, cinder_sections
from demo.servers.identity import (
    Passwords,
    connect,
    credentials,
    make_catalogue,
    make_users,
    write_clouds,
)
from demo.servers.ini import write_ini
from demo.servers.processes import PROJECT, Server, Servers
from demo.servers.swift_server import SwiftServer

HOST = "127.0.0.1"
CINDER_SERVER = PROJECT / "demo" / "servers" / "cinder_server.py"


@dataclass
class Cloud:
    """Starts the servers, and has the paths of their data.

    :param directory: private to this run; everything is below it.
    """

    directory: Path
    servers: Servers
    passwords: Passwords = field(default_factory=Passwords)

    def __post_init__(self) -> None:
        self.swift = SwiftServer(self.directory / "swift", self.servers)
        self.array: Array | None = None
        self.keystone_url = ""
        self.cinder_pid = 0

    @property
    def logs(self) -> Path:
        """Where the servers log."""
        return self.directory / "log"

    @property
    def cinder_log(self) -> Path:
        """The log of Cinder's four services."""
        return self.logs / "cinder.log"

    @property
    def cinder_conf(self) -> Path:
        """Cinder's configuration."""
        return self.directory / "cinder" / "cinder.conf"

    @property
    def array_state(self) -> Path:
        """The state of the emulated cluster."""
        return self.directory / "datera"

    @property
    def posix_backups(self) -> Path:
        """The posix driver's backups."""
        return self.directory / "cinder" / "backups"

    @property
    def swift_data(self) -> Path:
        """The data of Swift's object server."""
        return self.swift.directory / "node"

    @property
    def clouds_yaml(self) -> Path:
        """The client's configuration."""
        return self.directory / "clouds.yaml"

    def start(self) -> None:
        """Start everything and create a project with an ordinary user.

        :raises demo.servers.processes.ServerFailed: a server does not come up.
        """
        # Slow servers start first, and all in parallel: Keystone's port is known
        # before it is up, because the socket is opened here.
        keystone = self._launch_keystone()
        swift = self.swift.launch()
        emulator = self._launch_emulator()
        self.servers.await_ready(swift)
        self.servers.await_ready(emulator)
        self.array = Array(
            host=HOST,
            port=emulator.ready["https_port"],
            username=emulator.ready["username"],
            password=emulator.ready["password"],
            ca_bundle=emulator.ready["ca_bundle"],
        )
        cinder = self._launch_cinder(self.array)
        write_clouds(self.clouds_yaml, self.keystone_url, self.passwords)
        self.servers.await_ready(keystone)
        admin = self.connection("demo-admin")
        make_users(admin, self.passwords)
        self.servers.await_ready(cinder)
        self.cinder_pid = cinder.pid
        make_catalogue(admin, cinder.ready["http_port"])

    def connection(self, cloud: str) -> Any:
        """Return an openstacksdk connection: ``demo`` is the ordinary user, ``demo-admin``."""
        return connect(self.credentials(cloud))

    def credentials(self, cloud: str) -> dict[str, Any]:
        """Return the arguments for ``openstack.connect`` of one of the two clouds."""
        return credentials(cloud, self.keystone_url, self.passwords)

    def _launch_keystone(self) -> Server:
        directory = self.directory / "keystone"
        directory.mkdir(parents=True)
        with contextlib.closing(socket.create_server((HOST, 0), backlog=128)) as listener:
            port = listener.getsockname()[1]
            self.keystone_url = f"http://{HOST}:{port}/v3"
            descriptor = listener.fileno()
            return self.servers.launch(
                "keystone",
                [sys.executable, "-m", "demo.servers.keystone_server", directory, str(descriptor)],
                env={"DEMO_ADMIN_PASSWORD": self.passwords.admin},
                descriptors=[descriptor],
            )

    def _launch_emulator(self) -> Server:
        command = [sys.executable, "-m", "datera_emulator", "serve"]
        options = ["--http-port", "0", "--https-port", "0", "--transport", "file"]
        return self.servers.launch(
            "emulator", [*command, "--state-dir", str(self.array_state), *options]
        )

    def _launch_cinder(self, array: Array) -> Server:
        directory = self.directory / "cinder"
        for name in ("backups", "locks", "coordination"):
            (directory / name).mkdir(parents=True)
        neighbours = Neighbours(
            keystone_url=self.keystone_url,
            service_password=self.passwords.service,
            array=array,
            swift_auth_url=self.swift.auth_url,
            swift_user=self.swift.user,
            swift_key=self.swift.key,
        )
        config = write_ini(
            self.cinder_conf,
            cinder_sections(directory, neighbours),
        )
        return self.servers.launch(
            "cinder",
            with_connector(CINDER_SERVER, "--config-file", config),
        )


def with_connector(script: Path, *arguments: str | Path) -> list[str]:
    """Return the command that runs a script in which os-brick can attach the emulator's volumes."""
    command = [sys.executable, "-m", "datera_emulator.with_connector", script, *arguments]
    return [str(word) for word in command]
