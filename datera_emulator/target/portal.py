# SPDX-License-Identifier: Apache-2.0
"""The transport ``file``: portals that check a login as a target does, then name the file.

A request is one line of JSON, and so is its response. The connection is the session, so that a host
that crashes is logged out, as with a real target::

    {"login": {"initiator": …, "target": …, "lun": 0, "user": …, "secret": …}}
    {"session": …, "path": …, "size": …}    or    {"refused": REASON, "message": …}
    {"size": {}}     {"size": …}
    {"logout": {}}   {"logged_out": true}
"""

from __future__ import annotations

import errno
import json
import logging
import random
import socket
import uuid
from socketserver import StreamRequestHandler
from typing import Any

from datera_emulator.api.render import volume_path
from datera_emulator.documents import Document
from datera_emulator.rules.admission import LoginRefused, admit
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.sessions import Session
from datera_emulator.target.listening import PORT, PortalListener

LOG = logging.getLogger(__name__)

_ATTEMPTS = 64
_LONGEST_LINE = 65536


class FilePortals:
    """Two portals on addresses of their own in 127.0.0.0/8, one for each access network."""

    def __init__(self, cluster: Cluster, *, networks: int = 2) -> None:
        self._cluster = cluster
        self._networks = networks
        self._servers: list[_PortalServer] = []

    def start(self) -> None:
        """Listen on the previous addresses if they are free, else on new ones.

        :raises OSError: no address was free.
        """
        former = self._cluster.former_portals()
        try:
            for number in range(self._networks):
                wanted = former[number] if number < len(former) else None
                self._servers.append(self._listen(wanted))
        except OSError:
            self.stop()
            raise
        self._cluster.remember_portals([server.address for server in self._servers])
        for server in self._servers:
            server.start()

    def stop(self) -> None:
        """Stop listening and end every session."""
        for server in self._servers:
            server.stop()
        self._servers.clear()
        self._cluster.sessions.drop(lambda _session: True)

    def _listen(self, wanted: str | None) -> _PortalServer:
        for _ in range(_ATTEMPTS):
            address = wanted or random_address()
            wanted = None
            try:
                return _PortalServer(address, self._cluster)
            except OSError as exc:
                if exc.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
                    raise
        raise OSError(
            errno.EADDRINUSE,
            f"no address in 127.0.0.0/8 has port {PORT} free (does something listen on all?)",
        )


class _PortalServer(PortalListener):
    def __init__(self, address: str, cluster: Cluster) -> None:
        self.cluster = cluster
        super().__init__(address, _PortalHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOG.exception("A session of %s failed", client_address)


class _PortalHandler(StreamRequestHandler):
    server: _PortalServer

    def handle(self) -> None:
        session: Session | None = None
        try:
            while line := self.rfile.readline(_LONGEST_LINE):
                request = json.loads(line)
                if "login" in request and session is None:
                    session = self._login(request["login"])
                    if session is None:
                        return
                elif "size" in request and session is not None:
                    self._say({"size": self._size(session)})
                else:
                    # Removed before the response: a client that has it finds no session.
                    if session is not None:
                        self.server.cluster.sessions.remove(session.id)
                    self._say({"logged_out": True})
                    return
        except (OSError, ValueError, KeyError, TypeError) as exc:
            LOG.debug("Session of %s ended: %s", self.client_address, exc)
        finally:
            if session is not None:
                self.server.cluster.sessions.remove(session.id)

    def _login(self, wish: Document) -> Session | None:
        cluster = self.server.cluster
        with cluster.lock:
            try:
                instance, storage, volume = admit(cluster, wish)
            except LoginRefused as exc:
                LOG.info("Login refused (%s): %s", exc.reason, exc)
                self._say({"refused": exc.reason, "message": str(exc)})
                return None
            session = Session(
                id=uuid.uuid4().hex,
                initiator=wish["initiator"],
                iqn=storage.iqn,
                portal=self.server.address,
                lun=wish["lun"],
                volume_path=volume_path(instance, storage, volume),
            )
            cluster.sessions.add(session, self._end)
            path, size = str(cluster.files.path(volume.file).resolve()), volume.size_bytes
        self._say({"session": session.id, "path": path, "size": size})
        return session

    def _size(self, session: Session) -> int:
        with self.server.cluster.lock:
            found = self.server.cluster.target(session.iqn)
            if found is None:
                raise KeyError(session.iqn)
            return list(found[1].volumes.values())[session.lun].size_bytes

    def _say(self, document: Document) -> None:
        self.wfile.write(json.dumps(document).encode() + b"\n")

    def _end(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # the initiator has closed it already
            LOG.debug("Session of %s was closed already", self.client_address)


def random_address() -> str:
    """Return an address of 127.0.0.0/8 that is probably unused."""
    # Not a secret: only probably unused. The first block has 127.0.0.1 and the like.
    number = random.randrange(1 << 16, (1 << 24) - 1)  # noqa: S311
    return f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}"
