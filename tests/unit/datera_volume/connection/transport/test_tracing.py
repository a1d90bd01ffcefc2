# SPDX-License-Identifier: Apache-2.0
"""What a driver's call logs has one mark, and its last line says what it cost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.session import ClusterSession

LOG = logging.getLogger("a.driver")
MakeSession = Callable[..., ClusterSession]


def lines(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name.startswith(name)]


def test_all_lines_of_a_call_have_its_mark_and_each_request_a_number(
    make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with tracing.call("Doing it", LOG, level=logging.INFO) as trace:
        make_session().request("GET", "/x")
    connection = lines(caplog, "datera_volume")
    assert all(line.startswith(f"[{trace.id}") for line in connection if "in cleartext" not in line)
    assert {line.split("]")[0] for line in connection if "] > " in line} == {
        f"[{trace.id}.{number}" for number in range(1, 5)
    }
    assert any("Logged in" in line for line in connection)


def test_the_last_line_tells_time_and_requests(
    make_session: MakeSession, scripted: Any, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    session = make_session()
    session.login()

    def slow(seen: Any) -> Any:
        clock.now += 2.0
        return (503, {"message": "busy"}) if scripted.asked("GET", "/x") == 1 else None

    scripted.script = slow
    caplog.set_level(logging.INFO)
    with tracing.call("Doing it", LOG, level=logging.INFO, clock=clock):
        session.request("GET", "/x")
    (line,) = lines(caplog, "a.driver")
    pause = clock.slept[0]
    assert line.endswith(
        f"Doing it: done after {4 + pause:.3f} s, 2 requests to the cluster took 4.000 s"
    )


def test_a_call_that_fails_says_so_and_one_without_a_level_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for level in (logging.DEBUG, None):
        with pytest.raises(KeyError), tracing.call("Doing it", LOG, level=level):
            raise KeyError
    (line,) = lines(caplog, "a.driver")
    assert "Doing it: failed after" in line
    assert "0 requests" in line
    assert tracing.current() is None


def test_a_call_within_a_call_is_a_part_of_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with tracing.call("Outer", LOG, level=logging.DEBUG) as outer:
        tracing.mark()
        with tracing.call("Inner", LOG, level=logging.DEBUG) as inner:
            tracing.mark()
        assert tracing.current() is outer
    assert inner is outer
    told = lines(caplog, "a.driver")
    assert [line.split("] ")[1].split(":")[0] for line in told] == ["Inner", "Outer"]
    assert ["1 requests" in told[0], "2 requests" in told[1]] == [True, True]


def test_threads_do_not_share_a_call() -> None:
    seen: list[Any] = []
    with tracing.call("Doing it", LOG, level=None):
        thread = threading.Thread(target=lambda: seen.append(tracing.current()))
        thread.start()
        thread.join()
    assert seen == [None]
