# SPDX-License-Identifier: Apache-2.0
"""The tests' cloud waits for servers that answer late, with an error, or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.servers.processes import ServerFailed
from tests.services.stack.cloud import Cloud

SCHEDULER = ("cinder-scheduler", "scheduler")


class HttpError(Exception):
    """Stands for any error of a client's."""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.stop()


def test_services_are_waited_for_whatever_the_api_answers_first(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = [
        ConnectionRefusedError(),
        HttpError("500: a message was lost"),
        {},
        {SCHEDULER: "down"},
        {SCHEDULER: "up"},
    ]

    def services_up() -> dict[tuple[str, str], str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        states: dict[tuple[str, str], str] = answer
        return states

    monkeypatch.setattr(cloud, "services_up", services_up)

    cloud.await_services({SCHEDULER})

    assert answers == []


def test_services_are_not_waited_for_once_a_server_has_ended(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = cloud.servers.launch("broker", [sys.executable, "-c", "raise SystemExit('no memory')"])
    monkeypatch.setattr(cloud, "services_up", dict)

    with pytest.raises(ServerFailed, match=r"(?s)broker ended by itself.*no memory"):
        cloud.await_services({SCHEDULER})

    assert not server.running
