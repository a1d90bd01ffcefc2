# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 with keep-alive, plain or over TLS: one thread for each connection.

The standard library's server rather than werkzeug's, which closes each connection after one
request: how clients reuse connections is one of the things to be seen here.
"""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from datera_emulator.admin import PREFIX, Admin
from datera_emulator.api.envelope import refusal
from datera_emulator.api.request import Request
from datera_emulator.application import Application
from datera_emulator.errors import RequestInvalid
from datera_emulator.faults.outcomes import Answer
from datera_emulator.state.tenancy import ROOT

LOG = logging.getLogger(__name__)

_LARGEST_BODY = 16 << 20


class RestServer(ThreadingTCPServer):
    """Serves one application on one port.

    :param tls: the certificate to serve with; None for plain HTTP.
    :param admin: handles requests to the emulator itself; None: not served.
    :raises OSError: the port is in use or not allowed.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(
        self,
        host: str,
        port: int,
        application: Application,
        tls: ssl.SSLContext | None = None,
        admin: Admin | None = None,
    ) -> None:
        self.application = application
        self.admin = admin
        self._tls = tls
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__((host, port), _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"datera-emulator-rest-{self.port}",
            daemon=True,
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close every connection."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._guard:
            connections = list(self._connections)
        for connection in connections:
            _hang_up(connection)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in the connection's own thread."""
        # The handshake belongs here: in the accepting thread one silent client would block all.
        self.application.cluster.counters.count_connection()
        connection = request
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(request, server_side=True)
            with self._guard:
                self._connections.add(connection)
            super().finish_request(connection, client_address)
        except (OSError, ValueError) as exc:  # the peer left, or distrusts the certificate
            LOG.debug("Connection of %s ended: %s", client_address, exc)
        finally:
            with self._guard:
                self._connections.discard(connection)
            if connection is not request:
                connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log the error of a request's thread, instead of printing it."""
        LOG.exception("A request of %s failed", client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "datera-emulator"
    disable_nagle_algorithm = True  # else each small answer waits for an acknowledgement
    server: RestServer

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Serve any method: the application decides which of them a path supports."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal():
            self.send_error(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
            return
        if int(length) > _LARGEST_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        split = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=split.path,
            parameters=dict(parse_qsl(split.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)),
            client=self._client,
        )
        if self.server.admin is not None and split.path.startswith(PREFIX):
            self._send(self.server.admin.handle(request))
            return
        answer = self.server.application.handle(request)
        if answer is None:
            self.close_connection = True
            _hang_up(self.connection)
            return
        self._send(answer)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is not a valid HTTP request, with an error of the API."""
        # The base class treats an invalid request line as HTTP/0.9.
        self.request_version = self.protocol_version
        error = RequestInvalid(message or explain or HTTPStatus(code).phrase, status=code)
        document = refusal(
            error,
            method=self.command or "",
            path=getattr(self, "path", ""),
            version="",
            tenant=ROOT,
            body=None,
            client=self._client,
        )
        self._send(Answer(code, document))
        self.close_connection = True

    @property
    def _client(self) -> str:
        return f"{self.client_address[0]}:{self.client_address[1]}"

    def _send(self, answer: Answer) -> None:
        if isinstance(answer.body, bytes):
            payload = answer.body
        elif isinstance(answer.body, str):
            payload = answer.body.encode()
        else:
            payload = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(payload)))
        if self.command == "HEAD":
            payload = b""
        if not answer.whole:
            payload = payload[: len(payload) // 2]
            self.close_connection = True
        # One write for head and body: see disable_nagle_algorithm.
        self._headers_buffer.append(b"\r\n" + payload)  # type: ignore[attr-defined]
        self.flush_headers()
        if not answer.whole:
            _hang_up(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base's name
        LOG.debug("%s %s", self.client_address[0], format % args)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is closed already
        LOG.debug("Connection was closed already")
