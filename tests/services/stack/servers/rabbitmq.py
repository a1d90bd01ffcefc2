# SPDX-License-Identifier: Apache-2.0
"""Debian's RabbitMQ on a free loopback port."""

from __future__ import annotations

import socket
from pathlib import Path

from demo.servers.processes import Servers
from demo.waiting import until
from tests.services.stack.servers.loopback import HOST, free_port

# Debian's command in /usr/sbin switches to the user rabbitmq, and then runs this.
PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
PROTOCOL = b"AMQP\x00\x00\x09\x01"
SECONDS = 120.0


class RabbitMq:
    """A message broker.

    :param directory: private; everything lies below it.
    """

    def __init__(self, directory: Path, servers: Servers) -> None:
        self._directory = directory
        self._servers = servers
        self.port = free_port()
        self._names_port = free_port()
        self._nodes_port = free_port()

    @property
    def url(self) -> str:
        """The value for Cinder's ``transport_url``."""
        return f"rabbit://guest:guest@{HOST}:{self.port}/"

    def launch(self) -> None:
        """Start it without waiting."""
        self._directory.mkdir(parents=True)
        config = self._directory / "rabbitmq.conf"
        # By default, it would accept no messages with less than 50 MB free.
        config.write_text(f"listeners.tcp.1 = {HOST}:{self.port}\ndisk_free_limit.absolute = 1MB\n")
        plugins = self._directory / "enabled_plugins"
        plugins.write_text("[].\n")
        erlang = {
            "HOME": str(self._directory),  # for the cookie
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": HOST,
        }
        # The broker would start epmd, Erlang's port mapper, itself, and leave it behind.
        self._servers.launch("epmd", ["epmd"], env=erlang)
        until("epmd", self._names_nodes, seconds=SECONDS)
        self._servers.launch(
            "rabbitmq",
            [PROGRAM],
            env={
                **erlang,
                "RABBITMQ_NODENAME": "rabbit@localhost",
                "RABBITMQ_DIST_PORT": str(self._nodes_port),
                "RABBITMQ_CONFIG_FILE": str(config),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
                "RABBITMQ_MNESIA_BASE": str(self._directory / "mnesia"),
                "RABBITMQ_LOG_BASE": str(self._directory / "log"),
                "RABBITMQ_PID_FILE": str(self._directory / "pid"),
                "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            },
        )

    def await_ready(self) -> None:
        """Return once it answers in its protocol."""
        until("RabbitMQ", self._speaks, seconds=SECONDS)

    def _names_nodes(self) -> bool:
        self._servers.check()
        socket.create_connection((HOST, self._names_port), timeout=2).close()
        return True

    def _speaks(self) -> bool:
        self._servers.check()
        with socket.create_connection((HOST, self.port), timeout=2) as connection:
            connection.sendall(PROTOCOL)
            return bool(connection.recv(1))
