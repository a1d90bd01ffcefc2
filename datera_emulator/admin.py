# SPDX-License-Identifier: Apache-2.0
"""The emulator's own endpoint, ``/emulator/…`` on the HTTP port, outside of the array's API.

It needs no login, so it answers on the loopback interface only. Bodies must have the content type
of JSON: a page in a browser cannot send that to another site without a CORS preflight.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Callable
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from datera_emulator.api.request import Request
from datera_emulator.api.schemas import BOOLEAN, STRING, Schema, closed
from datera_emulator.documents import Document
from datera_emulator.faults.outcomes import KINDS as FAULTS
from datera_emulator.faults.outcomes import Answer, Wish
from datera_emulator.faults.plan import FaultPlan
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.kinds import KINDS

PREFIX = "/emulator/"

_COUNT: Schema = {"type": "integer", "minimum": 1}
_SECONDS: Schema = {"type": "number", "minimum": 0, "maximum": 3600}
_FAULT = closed(
    ("kind",),
    kind={"enum": list(FAULTS)},
    method={"enum": ["GET", "POST", "PUT", "DELETE"]},
    path=STRING,
    nth=_COUNT,
    times={"type": ["integer", "null"], "minimum": 1},
    applied=BOOLEAN,
    status={"type": "integer", "minimum": 200, "maximum": 599},
    body={},
    seconds=_SECONDS,
)
_RANDOM = closed(
    ("rates",),
    rates={
        "oneOf": [
            {"type": "number", "minimum": 0, "maximum": 1},
            {"type": "object", "additionalProperties": {"type": "number"}},
        ]
    },
    seed={"type": "integer"},
    method={"enum": ["GET", "POST", "PUT", "DELETE"]},
    path=STRING,
    slow_seconds=_SECONDS,
    hang_seconds=_SECONDS,
)
_LOGINS = closed(("after_acl_change",), after_acl_change={"type": "integer", "minimum": 0})


class Admin:
    """Serves the control endpoint of the emulator itself, not the array's API."""

    def __init__(self, cluster: Cluster, faults: FaultPlan) -> None:
        self._cluster = cluster
        self._faults = faults
        self._routes: dict[tuple[str, str], tuple[Callable[[Document], Document], Schema]] = {
            ("GET", "status"): (self._status, closed()),
            ("POST", "reset"): (self._reset, closed()),
            ("GET", "faults"): (self._shown_faults, closed()),
            ("POST", "faults"): (self._add_fault, _FAULT),
            ("DELETE", "faults"): (self._clear_faults, closed()),
            ("POST", "faults/random"): (self._add_random_faults, _RANDOM),
            ("POST", "faults/logins"): (self._refuse_logins, _LOGINS),
        }

    def handle(self, request: Request) -> Answer:
        """Answer a request whose path begins with :data:`PREFIX`."""
        if not ipaddress.ip_address(request.client.rpartition(":")[0].strip("[]")).is_loopback:
            return _refusal(403, "only from the loopback interface")
        name = request.path.removeprefix(PREFIX).rstrip("/")
        if (request.method, name) not in self._routes:
            return _refusal(404, f"there is no {request.method} {request.path}")
        if request.body and not request.headers.get("content-type", "").startswith(
            "application/json"
        ):
            return _refusal(415, "the body must be application/json")
        act, schema = self._routes[request.method, name]
        try:
            body = json.loads(request.body) if request.body else {}
            jsonschema.validate(body, schema)
            return Answer(200, act(body))
        except jsonschema.ValidationError as exc:
            return _refusal(422, f"{'/'.join(map(str, exc.path)) or 'body'}: {exc.message}")
        except ValueError as exc:
            return _refusal(422, str(exc))

    def _status(self, _: Document) -> Document:
        cluster, requests = self._cluster, self._cluster.counters.requests
        with cluster.lock:
            holds: dict[str, Any] = {
                kind.table: len(getattr(cluster, kind.table)) for kind in KINDS.values()
            }
            holds |= {"volumes": cluster.index.volumes, "snapshots": cluster.index.snapshots}
        return {
            "pid": os.getpid(),
            "sw_version": cluster.sw_version,
            "uptime_seconds": (cluster.clock_ns() - cluster.started_ns) // 1_000_000_000,
            "holds": holds,
            "host_sessions": len(cluster.sessions),
            "keys": len(cluster.tokens),
            "requests": sum(requests.values()),
            "requests_by_kind": {" ".join(kind): times for kind, times in requests.items()},
            "connections": cluster.counters.connections,
            **self._faults.describe(),
        }

    def _reset(self, body: Document) -> Document:
        self._faults.clear()
        self._cluster.reset()
        return self._status(body)

    def _shown_faults(self, _: Document) -> Document:
        return self._faults.describe()

    def _add_fault(self, body: Document) -> Document:
        where = dict(body)
        told = {key: where.pop(key) for key in ("status", "body", "seconds") if key in where}
        return self._faults.kind(where.pop("kind"), Wish(**told), **where).describe()

    def _clear_faults(self, _: Document) -> Document:
        self._faults.clear()
        return self._faults.describe()

    def _add_random_faults(self, body: Document) -> Document:
        self._faults.random(body.pop("rates"), **body)
        return self._faults.describe()

    def _refuse_logins(self, body: Document) -> Document:
        self._faults.refuse_logins(body["after_acl_change"])
        return self._faults.describe()


def _refusal(status: int, message: str) -> Answer:
    return Answer(status, {"message": message})
