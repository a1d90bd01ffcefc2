# SPDX-License-Identifier: Apache-2.0
"""Metrics over HTTP: the last snapshot, and whether it is a good one.

A snapshot is read every so often by a thread, and requests get the last one: however many scrape
it, and however slowly a backend answers, the database is read once an interval.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from backup_dispatch.errors import reason_of
from backup_dispatch.masking import masked

TYPE = "text/plain; version=0.0.4; charset=utf-8"

STALE_AFTER = 3
"""Intervals without a new snapshot after which the last one is too old."""

Start = Callable[[str, list[tuple[str, str]]], Any]


class Latest:
    """The last snapshot's text, and how its reading went.

    :param read: reads one.
    :param interval: seconds between the end of one reading and the begin of the next.
    """

    def __init__(
        self,
        read: Callable[[], str],
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._interval = interval
        self._clock = clock
        self._ended = threading.Event()
        self._text = ""
        self._at: float | None = None
        self._reason = "nothing has been read yet"

    def refresh(self) -> None:
        """Read now; a failure is kept as the reason, and the last text as it is."""
        try:
            text = self._read()
        except Exception as error:
            self._reason = masked(reason_of(error))
        else:
            self._text, self._at, self._reason = text, self._clock(), ""

    def keep_fresh(self) -> None:
        """Read every interval, until :meth:`stop`."""
        while not self._ended.wait(self._interval):
            self.refresh()

    def stop(self) -> None:
        """Read no more."""
        self._ended.set()

    @property
    def text(self) -> str:
        """The last text; empty if it is too old, so that nobody takes it for the present."""
        return "" if self.trouble and self._is_stale else self._text

    @property
    def trouble(self) -> str:
        """Why there is no fresh snapshot; empty if there is one."""
        if self._reason:
            return self._reason
        return "the last snapshot is too old" if self._is_stale else ""

    @property
    def seconds(self) -> float | None:
        """The age of the last text."""
        return None if self._at is None else self._clock() - self._at

    @property
    def _is_stale(self) -> bool:
        age = self.seconds
        # A reading may take as long as the slowest backend.
        return age is None or age > STALE_AFTER * max(self._interval, 60.0)


def application(latest: Latest) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """The WSGI application: ``/metrics`` and ``/health``."""

    def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            status, kind, body = "405 Method Not Allowed", "text/plain", "Use GET.\n"
        elif path == "/metrics":
            text = latest.text
            status = "200 OK" if text else "503 Service Unavailable"
            kind, body = (TYPE, text) if text else ("text/plain", f"{latest.trouble}\n")
        elif path == "/health":
            trouble, seconds = latest.trouble, latest.seconds
            status = "503 Service Unavailable" if trouble else "200 OK"
            told = {
                "status": "failing" if trouble else "ok",
                "reason": trouble or None,
                "snapshot_age_seconds": None if seconds is None else round(seconds, 1),
            }
            kind, body = "application/json", json.dumps(told) + "\n"
        else:
            status, kind, body = "404 Not Found", "text/plain", "There are /metrics and /health.\n"
        data = body.encode()
        start(status, [("Content-Type", kind), ("Content-Length", str(len(data)))])
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [data]

    return answer


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Server6(_Server):
    import socket

    address_family = socket.AF_INET6


class _Silent(WSGIRequestHandler):
    timeout = 30
    """Seconds for a request to come."""

    def log_message(self, *_arguments: Any) -> None:
        """Scrapes are no news."""


def server(host: str, port: int, latest: Latest) -> WSGIServer:
    """A server that listens; ``serve_forever`` runs it.

    :param port: 0 for any free one.
    :raises OSError: it cannot listen there.
    """
    kind = _Server6 if ":" in host else _Server
    made = kind((host, port), _Silent)
    made.set_app(application(latest))
    return made
