# SPDX-License-Identifier: Apache-2.0
"""Debian's Redis on a free loopback port, for locks between processes."""

from __future__ import annotations

import socket
from pathlib import Path

from demo.servers.processes import Server
from demo.waiting import until
from tests.services.stack.servers.daemons import Daemons
from tests.services.stack.servers.etcd import LEASE_SECONDS
from tests.services.stack.servers.loopback import HOST, free_port

SECONDS = 60.0


class Redis:
    """A server that keeps nothing on disk: a restart loses all locks.

    :param directory: private, the server's working directory.
    """

    def __init__(self, directory: Path, servers: Daemons) -> None:
        self._directory = directory
        self._servers = servers
        self._port = free_port()
        self._server: Server | None = None

    @property
    def locks_url(self) -> str:
        """The value for ``[coordination] backend_url``."""
        return f"redis://{HOST}:{self._port}?timeout=5&lock_timeout={LEASE_SECONDS}"

    def start(self) -> None:
        """Start it, again after a kill; returns once it answers."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._server = self._servers.launch(
            "redis",
            [
                "redis-server", "--bind", HOST, "--port", str(self._port), "--save", "",
                "--appendonly", "no", "--dir", self._directory,
            ],
        )  # fmt: skip
        until("Redis", lambda: self._ask("PING").startswith(b"+PONG"), seconds=SECONDS)

    def kill(self) -> None:
        """Kill it."""
        if self._server is not None:
            self._servers.kill(self._server)
            self._server = None

    def end_leases(self) -> None:
        """Delete all locks, as when their time is over."""
        assert self._ask("FLUSHALL").startswith(b"+OK")

    def _ask(self, command: str) -> bytes:
        self._servers.check()
        with socket.create_connection((HOST, self._port), timeout=5) as connection:
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(100)
