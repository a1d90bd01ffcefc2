# SPDX-License-Identifier: Apache-2.0
"""Debian's etcd on free loopback ports, for locks between processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib import request

from demo.servers.processes import Server
from demo.waiting import until
from tests.services.stack.servers.daemons import Daemons
from tests.services.stack.servers.loopback import HOST, free_port

SECONDS = 60.0
LEASE_SECONDS = 10
"""Seconds until the lock of a process without heartbeats expires; tooz's default is 30."""


class Etcd:
    """A server of one node.

    :param directory: private; for its data, which survive a kill.
    """

    def __init__(self, directory: Path, servers: Daemons) -> None:
        self._directory = directory
        self._servers = servers
        self._port = free_port()
        self._peers_port = free_port()
        self._server: Server | None = None

    @property
    def locks_url(self) -> str:
        """The value for ``[coordination] backend_url``."""
        times = f"timeout=5&lock_timeout={LEASE_SECONDS}"
        return f"etcd3+http://{HOST}:{self._port}?{times}"

    def start(self) -> None:
        """Start it, again after a kill; returns once it answers."""
        clients, peers = (f"http://{HOST}:{port}" for port in (self._port, self._peers_port))
        self._server = self._servers.launch(
            "etcd",
            [
                "etcd", "--name", "node", "--data-dir", self._directory,
                "--listen-client-urls", clients, "--advertise-client-urls", clients,
                "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
                "--initial-cluster", f"node={peers}",
            ],
        )  # fmt: skip
        until("etcd", self._is_healthy, seconds=SECONDS)

    def kill(self) -> None:
        """Kill it."""
        if self._server is not None:
            self._servers.kill(self._server)
            self._server = None

    def end_leases(self) -> None:
        """Revoke all leases, and with them all locks, as when their time is over."""
        for lease in self._ask("lease/leases").get("leases", []):
            self._ask("lease/revoke", ID=lease["ID"])

    def _ask(self, what: str, **words: str) -> dict[str, Any]:
        asked = request.Request(
            f"http://{HOST}:{self._port}/v3/{what}", data=json.dumps(words).encode(), method="POST"
        )
        with request.urlopen(asked, timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def _is_healthy(self) -> bool:
        self._servers.check()
        with request.urlopen(f"http://{HOST}:{self._port}/health", timeout=2) as answer:
            return b'"true"' in answer.read()
