# SPDX-License-Identifier: Apache-2.0
"""What the SDK would do wrong and cannot, because nothing of ours goes through it."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

import datera_volume
from datera_volume import connection
from datera_volume.connection.answers import Answer, error_of
from datera_volume.connection.link import Link

MakeLink = Callable[..., Link]
HOUSE = Path(datera_volume.__file__).parent


def test_of_the_sdk_nothing_is_used_but_its_connection_context_and_version() -> None:
    imported = set()
    for path in [*HOUSE.rglob("*.py"), *(HOUSE.parent / "datera_backup").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dfs_sdk"):
                imported |= {(path.name, f"{node.module}.{name.name}") for name in node.names}
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("dfs_sdk") for name in node.names), path
    assert imported == {
        ("sdk.py", "dfs_sdk.connection.ApiConnection"),
        ("sdk.py", "dfs_sdk.constants.VERSION"),
        ("sdk.py", "dfs_sdk.context.ApiContext"),
    }


def test_uploads_and_streams_are_refused(make_link: MakeLink, scripted: Any) -> None:
    link = make_link()
    with pytest.raises(NotImplementedError):
        link.upload_endpoint("/logs_upload", {"file": b""}, {})
    with pytest.raises(NotImplementedError):
        next(iter(link.stream_endpoint("/events/user", {}, 0, 1)))
    assert scripted.seen == []


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_a_conflict_is_told_whatever_was_asked_and_nothing_is_taken_for_ours(
    make_link: MakeLink, scripted: Any, method: str
) -> None:
    scripted.script = lambda s: (409, {"message": "taken"}) if s.path.endswith("/x") else None
    with pytest.raises(connection.AlreadyOnCluster, match="taken"):
        make_link().ask(method, "/x", body={"name": "x"})
    assert scripted.asked("GET", "/x") == (method == "GET")
    assert scripted.asked(method, "/x") == 1


def test_a_conflict_at_the_login_is_one_of_our_errors(make_link: MakeLink, scripted: Any) -> None:
    scripted.script = lambda s: (409, {"message": "no"}) if s.path.endswith("/login") else None
    with pytest.raises(connection.DateraError, match="409 no"):
        make_link().login()


def test_nothing_of_an_answer_becomes_an_attribute_of_an_error() -> None:
    body = {"message": "no", "args": ["x"], "code": 15, "token": "t", "with_traceback": 1}
    error = error_of(Answer(400, "", "", body), "GET /x", "no")
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
    make_link: MakeLink, scripted: Any, trouble: Exception, kind: type[Exception]
) -> None:
    scripted.script = lambda s: trouble if s.path.endswith("/x") else None
    with pytest.raises(kind):
        make_link().ask("POST", "/x", body={})
    assert scripted.asked("POST", "/x") == 1


def test_nobody_sees_the_session_before_its_version_is_known(
    make_link: MakeLink, scripted: Any
) -> None:
    link = make_link()
    seen: list[Any] = []

    def script(one: Any) -> None:
        if one.path.endswith("/system"):
            seen.append((link._session._key, link._session.dialect))

    scripted.script = script
    link.ask("GET", "/x")
    assert seen == [(None, None)]
    assert link._session._key is not None
    assert link._session.dialect is not None


def test_values_can_be_copied_pickled_and_asked_for_what_they_lack() -> None:
    one = connection.Snapshot(uuid="u", utc_ts="1.2", op_state="available", path="/x")
    assert pickle.loads(pickle.dumps(one)) == one
    assert not hasattr(one, "snapshot_policies")
