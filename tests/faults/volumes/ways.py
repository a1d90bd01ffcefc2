# SPDX-License-Identifier: Apache-2.0
"""The ways in which a request fails, each at the k-th request, once or from then on for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from datera_emulator.faults.outcomes import Wish
from datera_volume.connection.transport.responses import SESSION_ENDED
from tests.faults.volumes.stage import Stage
from tests.fixtures.faults.link import Trouble


class Struck(Protocol):
    """A fault in force: how often it occurred."""

    hits: int


Inject = Callable[[Stage, int, "int | None"], Struck]
PAGE = "<html><body><h1>Under maintenance</h1></body></html>"


def refused(status: int, name: str, message: str = "not now") -> Inject:
    """An answer of the cluster's, and no effect."""
    body = {"name": name, "http": status, "message": message}
    return lambda stage, k, times: _faults(stage).answer(status, body, nth=k, times=times)


def kind(name: str) -> Inject:
    return lambda stage, k, times: _faults(stage).kind(name, nth=k, times=times)


def instead(status: int, body: Any) -> Inject:
    """Carried out, and answered otherwise."""
    return lambda stage, k, times: _faults(stage).answer(
        status, body, nth=k, times=times, applied=True
    )


def page(status: int, *, applied: bool = False) -> Inject:
    """What something between this host and the cluster answers."""
    return lambda stage, k, times: _faults(stage).kind(
        "html", Wish(status, PAGE), nth=k, times=times, applied=applied
    )


def unconnected(stage: Stage, k: int, times: int | None) -> Struck:
    seconds = stage.driver.cluster.settings.connect_timeout
    return stage.link.put(Trouble(stage.link.unconnected(seconds), k, times))


def unanswered(*, applied: bool) -> Inject:
    def inject(stage: Stage, k: int, times: int | None) -> Struck:
        seconds = stage.driver.cluster.settings.read_timeout
        strike = stage.link.unanswered(seconds, applied=applied)
        return stage.link.put(Trouble(strike, k, times))

    return inject


def _faults(stage: Stage) -> Any:
    return stage.array.emulator.faults


WAYS: dict[str, Inject] = {
    "no connection": unconnected,
    "cut before": kind("drop"),
    "cut after": kind("drop_applied"),
    "half": kind("half"),
    "time-out before": unanswered(applied=False),
    "time-out after": unanswered(applied=True),
    "400": refused(400, "InvalidRequestError"),
    "401 of a key": refused(401, "InvalidSessionKeyError", SESSION_ENDED),
    "401 of a permission": refused(401, "PermissionDeniedError"),
    "401 of neither": refused(401, "Unauthorized"),
    "expired key": kind("expired_token"),
    "403": refused(403, "PermissionDeniedError"),
    "404": refused(404, "NotFoundError"),
    "405": refused(405, "InvalidRouteError"),
    "409": refused(409, "ConflictError"),
    "422": refused(422, "ValidationFailedError"),
    "429": refused(429, "TooManyRequests"),
    "500": refused(500, "InternalError"),
    "500 after": instead(500, {"message": "broken"}),
    "503": kind("busy"),
    "no JSON": instead(200, "<html>"),
    "empty": kind("empty"),
    "empty object": instead(200, {}),
    "list": kind("wrong_body"),
    "null": instead(200, b"null"),
    "page, 200": page(200, applied=True),
    "page, 302": page(302),
    "page, 401": page(401),
    "page, 403": page(403),
    "page, 404": page(404),
    "page, 500": page(500),
    "page, 502": page(502),
    "page, 502 after": page(502, applied=True),
    "page, 503": page(503),
    "page, 504 after": page(504, applied=True),
}
# In which every request fails; of the others each request meets a part.
COMMON = (
    "cut before",
    "cut after",
    "time-out after",
    "400",
    "401 of a key",
    "404",
    "500 after",
    "503",
    "empty",
    "list",
    "page, 502 after",
)
# Of these, those in which it fails for ever as well: the others end an operation at once, so that
# what follows is only its rollback.
LASTING = ("cut before", "time-out after", "401 of a key", "404", "500 after", "503")
