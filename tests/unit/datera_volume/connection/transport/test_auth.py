# SPDX-License-Identifier: Apache-2.0
"""One login for all threads, and none where it would help nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from datera_volume import connection
from datera_volume.connection.transport.auth import REFUSAL_STANDS
from datera_volume.connection.transport.responses import SESSION_ENDED
from datera_volume.connection.transport.session import ClusterSession

MakeSession = Callable[..., ClusterSession]
ENDED = (401, {"message": SESSION_ENDED, "name": "InvalidSessionKeyError"})


class Door:
    """A lock that tells when so many threads have come to it."""

    def __init__(self, crowd: int) -> None:
        self.crowded = threading.Event()
        self._left, self._count, self._lock = crowd, threading.Lock(), threading.Lock()

    def __enter__(self) -> None:
        with self._count:
            self._left -= 1
            if self._left == 0:
                self.crowded.set()
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


def test_nothing_is_asked_before_it_must_be(make_session: MakeSession, scripted: Any) -> None:
    make_session()
    assert scripted.seen == []


def test_a_login_reads_the_version_once_and_carries_the_headers(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session(driver_header="Test-1", ldap_server="ldap.example")
    session.request("GET", "/app_instances", tenant="/root/x")
    assert [(s.method, s.path) for s in scripted.seen] == [
        ("GET", "/api_versions"),
        ("PUT", "/v2.2/login"),
        ("GET", "/v2.2/system"),
        ("GET", "/v2.2/app_instances"),
    ]
    assert scripted.seen[1].body["remote_server"] == "ldap.example"
    headers = scripted.seen[3].headers
    assert headers["tenant"] == "/root/x"
    assert headers["Auth-Token"] == "session-key-1"
    assert headers["Datera-Driver"].startswith("Test-1|Python-SDK-")


def test_an_expired_key_costs_one_login_and_the_request_is_sent_again(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    scripted.script = lambda seen: (
        ENDED if seen.headers.get("Auth-Token") == "session-key-1" and "x" in seen.path else None
    )
    session.request("POST", "/x", body={"name": "n"})
    assert scripted.asked("PUT", "/login") == 2
    assert [s.body for s in scripted.seen if s.path.endswith("/x")] == [{"name": "n"}] * 2


def test_ten_threads_that_meet_one_expired_key_log_in_once(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    session.login()
    all_refused = threading.Barrier(10)

    def script(seen: Any) -> Any:
        if seen.headers.get("Auth-Token") == "session-key-1":
            all_refused.wait(10)
            return ENDED
        return None

    scripted.script = script
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda n: session.request("GET", f"/x{n}"), range(10)))
    assert scripted.asked("PUT", "/login") == 2


def test_a_missing_permission_does_not_log_in_again(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    scripted.script = lambda seen: (401, {"message": "Not yours."}) if "x" in seen.path else None
    with pytest.raises(connection.PermissionRefused, match=r"Not yours"):
        session.request("GET", "/x")
    assert scripted.asked("PUT", "/login") == 1


def test_an_ended_session_in_other_words_costs_one_question_and_one_login(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    session.login()
    scripted.script = lambda seen: (
        (401, {"message": "Session expired", "name": "AuthFailedError"})
        if seen.headers.get("Auth-Token") == "session-key-1"
        else None
    )
    session.request("POST", "/x", body={"name": "n"})
    assert [(s.method, s.path) for s in scripted.seen[3:]] == [
        ("POST", "/v2.2/x"),
        ("GET", "/v2.2/system"),
        ("PUT", "/v2.2/login"),
        ("GET", "/v2.2/system"),
        ("POST", "/v2.2/x"),
    ]


def test_a_cluster_that_does_not_say_whether_it_knows_the_key_is_asked_again(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    session.login()
    trouble: list[Any] = [(503, {"message": "busy"}), requests.ReadTimeout("no answer")]

    def script(seen: Any) -> Any:
        if seen.path.endswith("/x"):
            return 401, {"message": "No."}
        return trouble.pop(0) if trouble else None

    scripted.script = script
    with pytest.raises(connection.PermissionRefused, match=r"No\."):
        session.request("POST", "/x")
    assert trouble == []
    assert scripted.asked("POST", "/x") == 3
    assert scripted.asked("PUT", "/login") == 1


def test_a_permission_that_is_named_as_missing_costs_no_question(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    session.login()
    denied = (401, {"message": "No.", "name": "PermissionDeniedError"})
    scripted.script = lambda seen: denied if seen.path.endswith("/x") else None
    with pytest.raises(connection.PermissionRefused):
        session.request("GET", "/x")
    assert scripted.asked("GET", "/system") == 1


def test_sessions_that_end_one_after_the_other_are_renewed_within_the_busy_timeout(
    make_session: MakeSession, scripted: Any, clock: Any
) -> None:
    session = make_session(busy_timeout=60.0, busy_interval=5.0)
    session.login()
    accepted = "session-key-4"
    scripted.script = lambda seen: (
        ENDED if seen.path.endswith("/x") and seen.headers["Auth-Token"] != accepted else None
    )
    session.request("POST", "/x")
    assert scripted.asked("PUT", "/login") == 4
    accepted = "never"
    began = clock.now
    with pytest.raises(connection.SessionEnded, match="ended a session"):
        session.request("POST", "/x")
    assert clock.now - began <= 60.001  # sums of floats
    assert scripted.asked("PUT", "/login") < 20


def test_a_401_while_logging_in_is_an_error_and_no_deadlock(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    scripted.script = lambda seen: ENDED if seen.path.endswith("/system") else None
    for _twice in range(2):
        with pytest.raises(connection.SessionEnded, match="does not accept"):
            session.request("GET", "/x")
    assert not session._auth._lock.locked()
    # The name and the password were right: nothing speaks against sending them again.
    scripted.script = lambda _seen: None
    session.request("GET", "/x")


def test_a_wrong_password_is_told_without_it_and_tried_once_for_many_threads(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    session._auth._lock = all_at_the_door = Door(5)  # type: ignore[assignment]

    def script(seen: Any) -> Any:
        if not seen.path.endswith("/login"):
            return None
        all_at_the_door.crowded.wait(10)
        return 401, {"message": f"No {seen.body['password']} here."}

    scripted.script = script
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(session.request, "GET", "/x") for _ in range(5)]
        errors = [f.exception(10) for f in futures]
    assert scripted.asked("PUT", "/login") == 1
    assert {type(e) for e in errors} == {connection.LoginRefused}
    text = str(errors[0])
    assert "admin" in text
    assert "array.example:7717" in text
    assert "correct-horse-7" not in "".join(map(str, errors))
    assert "\n" not in text


def test_a_password_that_was_refused_is_not_sent_again_for_a_while(
    make_session: MakeSession, scripted: Any, clock: Any
) -> None:
    session = make_session()
    scripted.script = lambda s: (401, {"message": "No."}) if "login" in s.path else None
    for call in (session.login, session.login, lambda: session.request("GET", "/x")):
        with pytest.raises(connection.LoginRefused, match=r"No\."):
            call()
    assert scripted.asked("PUT", "/login") == 1
    clock.now += REFUSAL_STANDS
    scripted.script = lambda _seen: None
    session.request("GET", "/x")
    session.login()
    assert scripted.asked("PUT", "/login") == 3


@pytest.mark.parametrize("status", [400, 403, 422])
def test_a_login_that_is_refused_otherwise_is_refused(
    make_session: MakeSession, scripted: Any, status: int
) -> None:
    scripted.script = lambda s: (status, {"message": "m"}) if "login" in s.path else None
    with pytest.raises(connection.LoginRefused):
        make_session().login()


def test_a_version_that_is_not_offered_is_told_with_those_that_are(
    make_session: MakeSession, scripted: Any
) -> None:
    scripted.versions = ["v2", "v2.1"]
    with pytest.raises(connection.VersionNotOffered, match=r"v2\.2; it offers v2, v2\.1.*datera_"):
        make_session().login()
    assert scripted.asked("PUT", "/login") == 0


def test_a_product_that_cannot_tell_its_versions_is_logged_in_to(
    make_session: MakeSession, scripted: Any
) -> None:
    scripted.script = lambda s: (400, {"message": "m"}) if "api_versions" in s.path else None
    make_session(api_version="2.1").login()


@pytest.mark.parametrize("body", [{}, {"key": ""}, {"key": 7}, {"data": []}, [], b"<html>"])
def test_a_login_without_a_key_is_no_login(
    make_session: MakeSession, scripted: Any, body: Any
) -> None:
    scripted.script = lambda s: (200, body) if "login" in s.path else None
    with pytest.raises(connection.UnexpectedAnswer):
        make_session().login()


def test_a_key_may_come_in_an_envelope(make_session: MakeSession, scripted: Any) -> None:
    scripted.script = lambda s: (200, {"data": {"key": "k"}}) if "login" in s.path else None
    session = make_session()
    session.request("GET", "/x")
    assert scripted.seen[-1].headers["Auth-Token"] == "k"


def test_a_product_version_that_may_not_be_read_means_the_oldest_habits(
    make_session: MakeSession, scripted: Any
) -> None:
    scripted.script = lambda s: (401, {"message": "No."}) if "system" in s.path else None
    dialect = make_session().dialect
    assert dialect.pages
    assert not dialect.placement_policies


def test_a_fault_while_the_product_version_is_read_does_not_change_how_the_cluster_is_spoken_to(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    fault: Any = (500, {"message": "disk"})
    scripted.script = lambda seen: fault if seen.path.endswith("/system") else None
    with pytest.raises(connection.ClusterFault):
        session.request("GET", "/x")
    scripted.script = lambda _seen: None
    session.request("GET", "/x")
    assert session.dialect.placement_policies
    # A later login that may not read it keeps what is known.
    scripted.script = lambda seen: (403, {}) if seen.path.endswith("/system") else None
    session.login()
    assert session.dialect.placement_policies


def test_closing_logs_out_and_forgives_that_it_fails(
    make_session: MakeSession, scripted: Any
) -> None:
    session = make_session()
    session.login()
    scripted.script = lambda s: (500, {"message": "m"}) if "logout" in s.path else None
    session.close()
    assert scripted.seen[-1].path == "/v2.2/logout"
    assert scripted.seen[-1].headers["Auth-Token"] == "session-key-1"
