# SPDX-License-Identifier: Apache-2.0
"""A session refuses what the SDK would do wrong, and raises typed errors only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from datera_volume import connection
from datera_volume.connection.transport.responses import HttpResponse, error_of
from datera_volume.connection.transport.session import ClusterSession

MakeSession = Callable[..., ClusterSession]


def test_uploads_and_streams_are_refused(make_session: MakeSession, scripted: Any) -> None:
    session = make_session()
    with pytest.raises(NotImplementedError):
        session.upload_endpoint("/logs_upload", {"file": b""}, {})
    with pytest.raises(NotImplementedError):
        next(iter(session.stream_endpoint("/events/user", {}, 0, 1)))
    assert scripted.seen == []


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_a_conflict_is_told_whatever_was_asked_and_nothing_is_taken_for_ours(
    make_session: MakeSession, scripted: Any, method: str
) -> None:
    scripted.script = lambda s: (409, {"message": "taken"}) if s.path.endswith("/x") else None
    with pytest.raises(connection.AlreadyOnCluster, match="taken"):
        make_session().request(method, "/x", body={"name": "x"})
    assert scripted.asked("GET", "/x") == (method == "GET")
    assert scripted.asked(method, "/x") == 1


def test_a_conflict_at_the_login_is_one_of_our_errors(
    make_session: MakeSession, scripted: Any
) -> None:
    scripted.script = lambda s: (409, {"message": "no"}) if s.path.endswith("/login") else None
    with pytest.raises(connection.DateraError, match="409 no"):
        make_session().login()


def test_nothing_of_an_answer_becomes_an_attribute_of_an_error() -> None:
    body = {"message": "no", "args": ["x"], "code": 15, "token": "t", "with_traceback": 1}
    error = error_of(HttpResponse(400, "", "", body), "GET /x", "no")
    assert vars(error) == {"code": 15}
    assert error.args == ("GET /x: 400 no",)


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (requests.exceptions.ChunkedEncodingError("cut"), connection.OutcomeUnknown),
        (requests.exceptions.ContentDecodingError("gzip"), connection.OutcomeUnknown),
        (requests.exceptions.TooManyRedirects("round"), connection.OutcomeUnknown),
        (requests.exceptions.InvalidURL("no"), connection.UnexpectedAnswer),
        (requests.exceptions.InvalidHeader("no"), connection.UnexpectedAnswer),
    ],
)
def test_every_failure_of_the_transport_is_one_of_our_errors(
    make_session: MakeSession, scripted: Any, trouble: Exception, kind: type[Exception]
) -> None:
    scripted.script = lambda s: trouble if s.path.endswith("/x") else None
    with pytest.raises(kind):
        make_session().request("POST", "/x", body={})
    assert scripted.asked("POST", "/x") == 1


def test_nobody_sees_the_session_before_its_version_is_known(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    seen: list[Any] = []

    def script(one: Any) -> None:
        if one.path.endswith("/system"):
            seen.append((session._auth._key, session._auth.dialect))

    scripted.script = script
    session.request("GET", "/x")
    assert seen == [(None, None)]
    assert session._auth._key is not None
    assert session._auth.dialect is not None
