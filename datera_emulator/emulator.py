# SPDX-License-Identifier: Apache-2.0
"""The whole emulator in one object: state, portals, HTTP and HTTPS."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from datera_emulator.admin import Admin
from datera_emulator.application import Application
from datera_emulator.certificates import certificates_in
from datera_emulator.documents import Document
from datera_emulator.faults.plan import FaultPlan
from datera_emulator.server import RestServer
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.users import Directories
from datera_emulator.switches import Switches, product_version
from datera_emulator.target.portal import FilePortals
from datera_emulator.target.tgt import TgtPortals
from datera_emulator.target.transport import Transport

TRANSPORTS: dict[str, Callable[[Cluster], Transport]] = {"file": FilePortals, "tgt": TgtPortals}

_LOCK = "in-use"


class StateInUse(Exception):
    """Another emulator runs on this state directory."""


class Emulator:
    """A Datera cluster that runs during the block::

        with Emulator(state_dir=path) as emulator:
            requests.get(f"http://127.0.0.1:{emulator.http_port}/api_versions")

    :param state_dir: where the state is kept; created if missing.
    :param http_port: 0 for a free one; the same with ``https_port``.
    :param transport: how volumes are reached: "file", or "tgt" for a real iSCSI target.
    :param directories: users by the ``remote_server`` that authenticates them.
    :param clock_ns: nanoseconds since 1970.
    :raises ValueError: the transport or the software version is unknown.
    """

    def __init__(
        self,
        state_dir: str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        http_port: int = 0,
        https_port: int = 0,
        transport: str = "file",
        username: str = "admin",
        password: str = "password",  # noqa: S107 -- what the documentation promises
        sw_version: str = "3.3.0.0",
        switches: Switches | None = None,
        directories: Directories | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        if transport not in TRANSPORTS:
            raise ValueError(f"transport {transport!r} is none of {', '.join(TRANSPORTS)}")
        product_version(sw_version)  # it must be valid before anything is created
        self.state_dir = Path(state_dir)
        self.faults = FaultPlan()
        self.username = username
        self.password = password
        self._host = host
        self._ports = (http_port, https_port)
        self._sw_version = sw_version
        self._switches = switches or Switches()
        self._directories = directories
        self._clock_ns = clock_ns
        self._lock_descriptor = -1
        self._cluster: Cluster | None = None
        self._reached_by = transport
        self._transport: Transport | None = None
        self._servers: list[RestServer] = []

    def start(self) -> None:
        """Serve until :meth:`stop`.

        :raises StateInUse: another emulator runs on this state.
        :raises OSError: a port or the state directory cannot be used.
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self._take_state()
        try:
            self._cluster = Cluster(
                self.state_dir,
                switches=self._switches,
                sw_version=self._sw_version,
                username=self.username,
                password=self.password,
                directories=self._directories,
                clock_ns=self._clock_ns,
            )
            self._transport = TRANSPORTS[self._reached_by](self._cluster)
            self._transport.start()
            application = Application(self._cluster, self.faults)
            tls = certificates_in(self.state_dir).server_context()
            http, https = self._ports
            admin = Admin(self._cluster, self.faults)
            self._servers.append(RestServer(self._host, http, application, admin=admin))
            self._servers.append(RestServer(self._host, https, application, tls))
            for server in self._servers:
                server.start()
            # After a restart it has the same ports.
            self._ports = (self.http_port, self.https_port)
            self._say_where()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop serving; what was acknowledged is kept."""
        self.faults.clear()
        for server in self._servers:
            server.stop()
        self._servers.clear()
        if self._transport is not None:
            self._transport.stop()
            self._transport = None
        if self._cluster is not None:
            self._cluster.close()
        if self._lock_descriptor >= 0:
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1

    @property
    def cluster(self) -> Cluster:
        """The cluster; available once the emulator was started, and after it stopped."""
        if self._cluster is None:
            raise RuntimeError("the emulator was not started")
        return self._cluster

    @property
    def http_port(self) -> int:
        """The port of plain HTTP."""
        return self._servers[0].port

    @property
    def https_port(self) -> int:
        """The port of HTTPS."""
        return self._servers[1].port

    @property
    def ca_bundle(self) -> str:
        """The file of the authority that signed the HTTPS port's certificate."""
        return str(certificates_in(self.state_dir).ca_bundle)

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _take_state(self) -> None:
        descriptor = os.open(self.state_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(descriptor)
            raise StateInUse(f"another emulator uses {self.state_dir}") from exc
        self._lock_descriptor = descriptor
        os.ftruncate(descriptor, 0)

    def _say_where(self) -> None:
        """Publish this emulator's ports to other processes, see :func:`running_in`."""
        where = {"pid": os.getpid(), "host": self._host, "http_port": self.http_port}
        os.pwrite(self._lock_descriptor, json.dumps(where).encode(), 0)


def running_in(state_dir: Path) -> Document | None:
    """Return pid, host and http_port of the emulator that runs on a state directory.

    None if none does, or if it is starting or stopping.
    """
    try:
        with (state_dir / _LOCK).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                where: Document = json.loads(file.read() or b"null")
                return where
    except FileNotFoundError:
        return None
    return None
