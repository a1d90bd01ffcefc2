# SPDX-License-Identifier: Apache-2.0
"""What is sent again, for how long, and what never is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
import urllib3

from datera_volume import connection
from datera_volume.connection.transport.session import ClusterSession

MakeSession = Callable[..., ClusterSession]
BUSY = (503, {"message": "Try later."})
BROKEN = requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted."))
SILENT = requests.ReadTimeout("read timed out")


def never_connected() -> Exception:
    reason = urllib3.exceptions.NewConnectionError(
        None,  # type: ignore[arg-type]
        "Connection refused",
    )
    pool: Any = None
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", reason))


def first(count: int, answer: Any) -> Callable[[Any], Any]:
    """Answer so for the first ``count`` requests to ``/x``, then as usual."""
    left = [count]

    def script(seen: Any) -> Any:
        if not seen.path.endswith("/x") or left[0] == 0:
            return None
        left[0] -= 1
        return answer

    return script


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("trouble", [BUSY, (429, {}), never_connected()])
def test_what_had_no_effect_is_sent_again_every_interval(
    make_session: MakeSession, scripted: Any, clock: Any, method: str, trouble: Any
) -> None:
    scripted.script = first(3, trouble)
    make_session().request(method, "/x", body={})
    assert scripted.asked(method, "/x") == 4
    assert len(clock.slept) == 3
    assert all(5.0 <= pause <= 6.0 for pause in clock.slept)


def test_a_cluster_that_stays_busy_is_given_up_in_time(
    make_session: MakeSession, scripted: Any, clock: Any
) -> None:
    scripted.script = lambda s: BUSY if s.path.endswith("/x") else None
    with pytest.raises(connection.ClusterBusy, match=r"array\.example:7717: 503 Try later"):
        make_session(busy_timeout=60).request("GET", "/x")
    assert 59 < clock.now <= 60


def test_an_unreachable_cluster_is_given_up_in_time(
    make_session: MakeSession, scripted: Any, clock: Any
) -> None:
    scripted.script = lambda _seen: never_connected()
    with pytest.raises(connection.ClusterUnreachable, match=r"array\.example:7717.*refused"):
        make_session(busy_timeout=30, busy_interval=2).login()
    assert 29 < clock.now <= 30


def test_attempts_that_take_long_themselves_end_in_time_too(
    make_session: MakeSession, scripted: Any, clock: Any
) -> None:
    def slow(_seen: Any) -> Any:
        clock.now += 10.0  # as long as connecting to a cluster that is switched off
        return requests.ConnectTimeout("no connection")

    scripted.script = slow
    with pytest.raises(connection.ClusterUnreachable):
        make_session(busy_timeout=60, busy_interval=5).login()
    assert 50 <= clock.now <= 60


def test_two_clients_of_a_busy_cluster_do_not_ask_it_at_the_same_moments(
    make_session: MakeSession, scripted: Any, clock: Any
) -> None:
    scripted.script = first(20, BUSY)
    make_session(busy_timeout=1000).request("GET", "/x")
    assert len(set(clock.slept)) == len(clock.slept) == 20


def test_with_no_timeout_one_attempt_is_all(
    make_session: MakeSession, scripted: Any, clock: Any
) -> None:
    scripted.script = first(9, BUSY)
    with pytest.raises(connection.ClusterBusy):
        make_session(busy_timeout=0).request("GET", "/x")
    assert scripted.asked("GET", "/x") == 1
    assert clock.slept == []


@pytest.mark.parametrize("trouble", [BROKEN, SILENT, (502, b""), (504, b"")])
def test_a_post_whose_answer_is_lost_is_never_sent_again(
    make_session: MakeSession, scripted: Any, trouble: Any
) -> None:
    scripted.script = first(1, trouble)
    with pytest.raises(connection.OutcomeUnknown):
        make_session().request("POST", "/x", body={})
    assert scripted.asked("POST", "/x") == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_may_be_done_twice_is_sent_again_at_once(
    make_session: MakeSession, scripted: Any, clock: Any, method: str
) -> None:
    scripted.script = first(1, BROKEN)
    make_session().request(method, "/x", body={})
    assert scripted.asked(method, "/x") == 2
    assert clock.now == 0


def test_a_question_that_is_never_answered_had_no_effect(
    make_session: MakeSession, scripted: Any
) -> None:
    scripted.script = lambda s: SILENT if s.path.endswith("/x") else None
    with pytest.raises(connection.ClusterUnreachable):
        make_session().request("GET", "/x")
    with pytest.raises(connection.OutcomeUnknown):
        make_session().request("PUT", "/x", body={})


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("trouble", [BUSY, never_connected()])
def test_cluster_that_is_away_after_a_lost_answer_leaves_the_outcome_unknown(
    make_session: MakeSession, scripted: Any, method: str, trouble: Any
) -> None:
    answers = iter([BROKEN])
    scripted.script = lambda s: next(answers, trouble) if s.path.endswith("/x") else None
    with pytest.raises(connection.OutcomeUnknown, match=r"A response was lost, and then: .*/x at"):
        make_session().request(method, "/x", body={})


def test_a_delete_that_finds_nothing_after_a_lost_answer_says_so(
    make_session: MakeSession, scripted: Any
) -> None:
    answers = iter([BROKEN, (404, {"message": "gone"})])
    scripted.script = lambda s: next(answers) if s.path.endswith("/x") else None
    with pytest.raises(connection.NotOnCluster):
        make_session().request("DELETE", "/x")


def test_a_delete_that_finds_nothing_at_first_says_so(
    make_session: MakeSession, scripted: Any
) -> None:
    scripted.script = first(1, (404, {"message": "gone"}))
    with pytest.raises(connection.NotOnCluster):
        make_session().request("DELETE", "/x")


def test_a_login_without_an_answer_leaves_a_post_unsent_and_so_repeatable(
    make_session: MakeSession, scripted: Any
) -> None:
    left = [1]

    def script(seen: Any) -> Any:
        if seen.path.endswith("/login") and left[0]:
            left[0] -= 1
            return SILENT
        return None

    scripted.script = script
    make_session().request("POST", "/x", body={})
    assert scripted.asked("POST", "/x") == 1


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", [], "text", 7])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_success_without_an_object_is_no_answer(
    make_session: MakeSession, scripted: Any, method: str, body: Any
) -> None:
    scripted.script = first(1, (200, body))
    with pytest.raises(connection.UnexpectedAnswer, match=r"/x at array\.example"):
        make_session().request(method, "/x", body={})


def test_a_delete_may_be_answered_with_nothing(make_session: MakeSession, scripted: Any) -> None:
    scripted.script = first(1, (204, b""))
    assert make_session().request("DELETE", "/x") == {}
