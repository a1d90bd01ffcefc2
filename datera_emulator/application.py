# SPDX-License-Identifier: Apache-2.0
"""How a request is processed: faults, route, key, tenant, schema, handler, envelope.

It knows nothing of sockets: :mod:`.server` gives it a request and sends what it returns.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from dataclasses import replace

from datera_emulator import routes
from datera_emulator.api.envelope import refusal, reply
from datera_emulator.api.permissions import check_permission
from datera_emulator.api.request import Request
from datera_emulator.api.routing import Call
from datera_emulator.api.schemas import Validators
from datera_emulator.documents import Document, Json
from datera_emulator.errors import (
    ApiError,
    RequestInvalid,
    RouteInvalid,
    SessionKeyInvalid,
    StorageFailed,
    ValidationFailed,
)
from datera_emulator.faults.outcomes import Answer, Drop, ForgetToken, Half, Hang
from datera_emulator.faults.plan import Fault, FaultPlan
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.tenancy import ROOT
from datera_emulator.state.users import NOBODY
from datera_emulator.switches import Dialect, served_versions

__all__ = ["Application", "Request"]

LOG = logging.getLogger(__name__)

_VERSIONED = re.compile(r"/(v\d+(?:\.\d+)*)(/.*)?\Z")


class Application:
    """Answers requests to one cluster."""

    def __init__(self, cluster: Cluster, faults: FaultPlan) -> None:
        self.cluster = cluster
        self.faults = faults
        cluster.login_faults = faults.logins
        self._router = routes.router()
        self._validators = Validators()

    def handle(self, request: Request) -> Answer | None:
        """Answer a request; None: close the connection without a response."""
        fault = self.faults.next(request.method, _without_version(request.path))
        if fault is None:
            return self._serve(request)
        LOG.info("Injected fault at %s %s: %s", request.method, request.path, fault.outcome)
        return self._struck(request, fault)

    def _struck(self, request: Request, fault: Fault) -> Answer | None:
        outcome = fault.outcome
        if isinstance(outcome, ForgetToken):
            self.cluster.tokens.revoke(request.headers.get("auth-token", ""))
            return self._serve(request)
        if isinstance(outcome, Half):
            return replace(self._serve(request), whole=False)
        answer = self._serve(request) if fault.applied else None
        if isinstance(outcome, Hang):
            outcome.release.wait(outcome.seconds)
            return answer or self._serve(request)
        if isinstance(outcome, Drop):
            return None
        if answer is not None and answer.status >= 400 > outcome.status:  # noqa: PLR2004
            return answer  # even a broken cluster reports no success for a failed request
        return outcome

    def _serve(self, request: Request) -> Answer:
        found = _VERSIONED.match(request.path)
        if found is None:
            return self._serve_unversioned(request)
        version, path = found[1], found[2] or "/"
        dialect = Dialect(version, self.cluster.product)
        body: Json = None
        tenant = ROOT
        try:
            if version not in served_versions(self.cluster.product):
                raise RouteInvalid(f"API version {version} is not served")
            route, arguments = self._router.find(request.method, path, dialect)
            driver = request.headers.get("datera-driver", "")
            self.cluster.counters.count_request(request.method, route.template, driver)
            key = request.headers.get("auth-token", "")
            if route.needs_key and not self.cluster.tokens.use(key):
                raise SessionKeyInvalid
            body = _parsed(request.body)
            if request.method != "GET":
                body = self._validators.check(route.body, dialect, body)
            with self.cluster.transaction():
                tenant = self.cluster.tenant(request.headers.get("tenant") or ROOT).path
                caller = self.cluster.tokens.holder(key)
                if route.needs_key:
                    if caller == NOBODY:  # another request let it expire since the check
                        raise SessionKeyInvalid
                    check_permission(self.cluster, caller, route, tenant)
                call = Call(
                    self.cluster,
                    dialect,
                    tenant,
                    arguments,
                    body or {},
                    key,
                    request.method,
                    caller,
                    request.parameters,
                )
                result = route.handler(call)
                document = reply(
                    self.cluster,
                    dialect,
                    tenant,
                    path.rstrip("/"),
                    result,
                    parameters=call.parameters,
                )
            return Answer(200, document)
        except ApiError as exc:
            if isinstance(exc, RouteInvalid):
                self.cluster.counters.count_request(request.method, "?")
            if isinstance(exc, ValidationFailed):
                exc.status = int(self.cluster.switches.validation_status)
            error = exc
        except (OSError, sqlite3.Error) as exc:
            LOG.exception("The emulator's own storage failed at %s %s", request.method, path)
            error = StorageFailed(f"storage failed: {type(exc).__name__}")
        return Answer(
            error.status,
            refusal(
                error,
                method=request.method,
                path=path,
                version=version,
                tenant=tenant,
                body=body,
                client=request.client,
            ),
        )

    def _serve_unversioned(self, request: Request) -> Answer:
        error: ApiError = RouteInvalid(f"Invalid route: {request.path}")
        if request.path.rstrip("/") == "/api_versions":
            self.cluster.counters.count_request(request.method, "/api_versions")
            if request.method == "GET" and self.cluster.product >= (3,):
                return Answer(200, {"api_versions": served_versions(self.cluster.product)})
            error = RequestInvalid("Invalid request")
        body = refusal(
            error,
            method=request.method,
            path=request.path,
            version="",
            tenant=ROOT,
            body=None,
            client=request.client,
        )
        return Answer(error.status, body)


def _without_version(path: str) -> str:
    found = _VERSIONED.match(path)
    return path if found is None else (found[2] or "/")


def _parsed(body: bytes) -> Document:
    if not body:
        return {}
    try:
        document: Document = json.loads(body)
    except ValueError as exc:
        raise ValidationFailed("body: is not JSON") from exc
    return document
