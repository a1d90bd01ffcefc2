# SPDX-License-Identifier: Apache-2.0
"""Metrics over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from backup_dispatch.jobs.metrics.serving import STALE_AFTER, Latest, server

Answer = tuple[int, str, str]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def serving(latest: Latest, host: str = "127.0.0.1") -> Iterator[Callable[..., Answer]]:
    made = server(host, 0, latest)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()

    def ask(path: str, method: str = "GET") -> Answer:
        connection = HTTPConnection(host, made.server_port, timeout=30)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type", ""), response.read().decode()
        finally:
            connection.close()

    try:
        yield ask
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def test_the_last_snapshot_is_served_without_reading_another() -> None:
    reads = iter(["backups 1\n", "backups 2\n"])
    latest = Latest(lambda: next(reads), 60)
    with serving(latest) as ask:
        assert ask("/health")[0] == 503
        assert ask("/metrics")[0] == 503
        latest.refresh()
        for _ in range(3):
            assert ask("/metrics")[::2] == (200, "backups 1\n")
        assert ask("/metrics")[1].startswith("text/plain; version=0.0.4")
        status, _, body = ask("/health")
        assert (status, json.loads(body)["status"]) == (200, "ok")
        assert ask("/elsewhere")[0] == 404
        assert ask("/metrics", "POST")[0] == 405
        assert ask("/metrics", "HEAD")[::2] == (200, "")


def test_a_failure_is_told_by_health_and_old_metrics_end() -> None:
    clock, broken = Clock(), threading.Event()

    def read() -> str:
        if broken.is_set():
            raise OSError("password=hunter22 refused")
        return "backups 1\n"

    latest = Latest(read, 60, clock)
    latest.refresh()
    broken.set()
    latest.refresh()
    with serving(latest) as ask:
        status, _, body = ask("/health")
        assert (status, json.loads(body)["status"]) == (503, "failing")
        assert "OSError" in body
        assert "hunter22" not in body
        assert ask("/metrics")[0] == 200, "it may be the database's restart"
        clock.now += STALE_AFTER * 60 + 1
        assert ask("/metrics")[0] == 503, "nobody shall take it for the present"
        broken.clear()
        latest.refresh()
        assert ask("/health")[0] == ask("/metrics")[0] == 200


def test_a_reader_that_stopped_is_noticed() -> None:
    clock = Clock()
    latest = Latest(lambda: "backups 1\n", 60, clock)
    latest.refresh()
    clock.now += STALE_AFTER * 60 + 1
    assert latest.trouble == "the last snapshot is too old"


def test_a_port_that_is_taken_is_refused() -> None:
    latest = Latest(lambda: "", 60)
    first = server("127.0.0.1", 0, latest)
    try:
        with pytest.raises(OSError, match="in use"):
            server("127.0.0.1", first.server_port, latest)
    finally:
        first.server_close()
