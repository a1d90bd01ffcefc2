# SPDX-License-Identifier: Apache-2.0
"""Requests to slow storage wait, each in the thread that makes it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench import datera_steps
from bench.measuring import latency
from datera_backup.container import discarding

MIB = 1 << 20


class Waits:
    """Replaces the sleeping; how long it was to last, for each request."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    # So that all is as it was afterwards.
    for name in ("pread", "preadv", "pwrite", "pwritev", "fsync", "fdatasync"):
        monkeypatch.setattr(os, name, getattr(os, name))
    monkeypatch.setattr(discarding, "discard", discarding.discard)
    waits = Waits()
    monkeypatch.setattr(time, "sleep", waits)
    return waits


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(os.urandom(8 * MIB))
    return path


def test_each_request_waits_and_does_its_work(waits: Waits, image: Path) -> None:
    latency.slow_down(5.0, (discarding, "discard"))
    with image.open("r+b") as file:
        assert os.pwrite(file.fileno(), b"here", 100) == 4
        assert os.pread(file.fileno(), 4, 100) == b"here"
        os.fsync(file.fileno())
        discarding.discard(file.fileno(), 0, MIB)
    assert waits.seconds == [0.005] * 4


def test_requests_of_several_threads_wait_side_by_side(
    image: Path, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_wait = threading.Barrier(4)
    monkeypatch.setattr(time, "sleep", lambda _seconds: all_wait.wait(60))
    latency.slow_down(5.0)
    with image.open("rb") as file, ThreadPoolExecutor(4) as threads:
        read = threads.map(lambda at: os.pread(file.fileno(), 1, at), range(4))
        assert b"".join(read) == image.read_bytes()[:4]


def test_a_file_waits_once_for_each_call(waits: Waits, image: Path) -> None:
    content = image.read_bytes()
    with latency.SlowFile(image, "r+b", 2.0) as file:
        assert file.read(3) == content[:3]
        assert file.readinto(bytearray(5)) == 5
        assert file.read() == content[8:]
        file.seek(0)
        assert file.write(b"new") == 3
    # A reading up to the end may ask once more for what comes behind it.
    assert waits.seconds[:5] == [0.002] * len(waits.seconds[:5])
    assert 4 <= len(waits.seconds) <= 5


def test_a_file_with_a_buffer_waits_only_for_what_passes_it(waits: Waits, image: Path) -> None:
    opened = latency.slow_open(2.0)
    with opened(str(image), "wb") as file:
        file.write(b"a")
        file.write(b"b")
        assert waits.seconds == []
    assert len(waits.seconds) == 1
    with opened(str(image), "rb") as file:
        assert file.read() == b"ab"
    assert len(waits.seconds) > 1


def test_the_engine_waits_for_volume_and_container(
    waits: Waits, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("preadv", "pwritev", "fdatasync", "fsync"):
        monkeypatch.setattr(os, name, noting(getattr(os, name), asked))
    monkeypatch.setattr(datera_steps, "Measured", lambda _image: FakeMeasured())
    datera_steps.back_up(tmp_path, image, "full", latency=5.0)
    assert {"preadv image", "pwritev device", "fdatasync device"} <= set(asked)
    assert len(waits.seconds) >= len(asked)
    assert set(waits.seconds) == {0.005}


def noting(request: Callable[..., Any], asked: list[str]) -> Callable[..., Any]:
    def noted(fd: int, *rest: Any) -> Any:
        asked.append(f"{request.__name__} {Path(os.readlink(f'/proc/self/fd/{fd}')).name}")
        return request(fd, *rest)

    return noted


class FakeMeasured:
    """Measures nothing."""

    def so_far(self) -> dict[str, float]:
        return {}
