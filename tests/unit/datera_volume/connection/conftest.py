# SPDX-License-Identifier: Apache-2.0
"""A cluster that answers by script, below ``requests``: what a real one does not do on demand."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import BaseAdapter

from datera_volume.connection import TLS, ClusterSettings
from datera_volume.connection.transport.session import ClusterSession

PASSWORD = "correct-horse-7"
Script = Callable[["Seen"], "tuple[int, Any] | Exception | None"]


@dataclass(frozen=True)
class Seen:
    """One request as the cluster sees it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@dataclass
class Clock:
    """Time that passes only where somebody sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class ScriptedCluster(BaseAdapter):
    """Logs everybody in; what else it answers, ``script`` says: a status and a body, or an error.

    A body that is ``bytes`` goes out as it is. None lets the cluster answer as it does by itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.script: Script = lambda _seen: None
        self.seen: list[Seen] = []
        self.keys = 0
        self.versions = ["v2", "v2.1", "v2.2", "v2.3"]
        self.sw_version = "3.3.0.0"
        self._lock = threading.Lock()

    def send(self, request: requests.PreparedRequest, **_kwargs: Any) -> requests.Response:  # type: ignore[override]
        url = urlsplit(request.url or "")
        body = json.loads(request.body) if request.body else None
        seen = Seen(
            request.method or "", str(url.path), str(url.query), dict(request.headers), body
        )
        with self._lock:
            self.seen.append(seen)
        answer = self.script(seen)
        if answer is None:
            answer = self._usual(seen)
        if isinstance(answer, Exception):
            raise answer
        return self._response(request, *answer)

    def close(self) -> None:
        pass

    def asked(self, method: str, path: str) -> int:
        """How often that was asked, without the version."""
        return sum(s.method == method and s.path.endswith(path) for s in self.seen)

    def _usual(self, seen: Seen) -> tuple[int, Any]:
        if seen.path == "/api_versions":
            return 200, {"api_versions": self.versions}
        if seen.path.endswith("/login"):
            with self._lock:
                self.keys += 1
                return 200, {"key": f"session-key-{self.keys}", "version": "v2.2"}
        if seen.path.endswith("/system"):
            return 200, {"data": {"name": "c", "uuid": "u", "sw_version": self.sw_version}}
        return 200, {"data": {}}

    @staticmethod
    def _response(request: requests.PreparedRequest, status: int, body: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = status
        response.request = request
        response.url = request.url or ""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response.raw = io.BytesIO(content)
        return response


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scripted() -> ScriptedCluster:
    return ScriptedCluster()


@pytest.fixture
def make_session(scripted: ScriptedCluster, clock: Clock) -> Callable[..., ClusterSession]:
    """A connection to the scripted cluster; keywords are further settings."""

    def make(**settings: Any) -> ClusterSession:
        session = requests.Session()
        session.mount("http://", scripted)
        session.mount("https://", scripted)
        return ClusterSession(
            ClusterSettings(
                "array.example", "admin", PASSWORD, **{"tls": TLS(enabled=False), **settings}
            ),
            session=session,
            sleep=clock.sleep,
            clock=clock,
        )

    return make
