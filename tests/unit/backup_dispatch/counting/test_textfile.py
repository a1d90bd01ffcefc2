# SPDX-License-Identifier: Apache-2.0
"""The file of a service's counts."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from backup_dispatch.counting import counters as counting
from backup_dispatch.counting.counters import FAILED, Counters
from backup_dispatch.counting.figures import READ, SECONDS_READING
from backup_dispatch.counting.textfile import Textfile, Writing, start_writing, stop_writing
from backup_dispatch.counting.whole_file import write_text


@pytest.fixture
def counters() -> Iterator[Counters]:
    yield counting.reset()
    counting.reset()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cinder-backup.prom"


def samples(path: Path) -> dict[tuple[str, ...], float]:
    found = {}
    for family in text_string_to_metric_families(path.read_text()):
        assert family.documentation
        for one in family.samples:
            labels = (value for name, value in sorted(one.labels.items()) if name != "host")
            found[(one.name.removeprefix("backup_dispatch_service_"), *labels)] = one.value
    return found


def test_the_file_tells_all_counts(counters: Counters, path: Path) -> None:
    def fail() -> None:
        with counters.operation("backup", "ceph", lambda _error: FAILED) as one:
            one.saw(READ, 5)
            one.told = lambda: {SECONDS_READING: 1.5}
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fail()
    counters.refused("restore", "owner_unresolved")
    counters.checked("ceph", FAILED)
    with counters.operation("backup", "s3", lambda _error: FAILED):
        Textfile(path, "node1").write()
    found = samples(path)
    assert found["operations_total", "ceph", "backup", "failed", "0"] == 1
    assert found["operations_total", "ceph", "backup", "stalled", "0"] == 0
    assert found["operations_total", "s3", "backup", "ok", "0"] == 0
    assert found["read_bytes_total", "ceph", "backup", "0"] == 5
    assert found["stage_seconds_total", "ceph", "backup", "reading", "0"] == 1.5
    assert found["refusals_total", "restore", "owner_unresolved", "0"] == 1
    assert found["checks_total", "ceph", "failed", "0"] == 1
    assert found["running", "s3", "backup", "0"] == 1
    assert 'host="node1"' in path.read_text()


@pytest.mark.usefixtures("counters")
def test_each_worker_has_a_file_of_its_own_and_a_dead_ones_is_taken_over(path: Path) -> None:
    first, second, third = (Textfile(path, "node1") for _ in range(3))
    first.write()
    second.write()
    assert sorted(one.name for one in path.parent.glob("*.prom")) == [
        "cinder-backup.1.prom",
        "cinder-backup.prom",
    ]
    assert 'worker="1"' not in path.read_text()
    first.close()  # as the kernel does when a process ends
    third.write()
    assert len(list(path.parent.glob("*.prom"))) == 2
    second.close()
    third.close()


@pytest.mark.usefixtures("counters")
def test_what_prometheus_reads_is_never_half_of_a_file(path: Path) -> None:
    file = Textfile(path, "node1")
    file.write()
    before = os.stat(path).st_ino
    with open(path) as reading:
        file.write()
        assert reading.read().endswith("\n"), "who has it open reads the old one"
    assert os.stat(path).st_ino != before
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    assert [one.name for one in path.parent.iterdir() if not one.name.endswith(".lock")] == [
        path.name
    ]
    file.close()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path: Path) -> None:
    write_text(path, "old\n")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \udc80\n")
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "old\n"


@pytest.mark.usefixtures("counters")
def test_a_folder_that_is_missing_is_logged_once_and_tried_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = Textfile(path.parent / "later" / "cinder-backup.prom", "node1")
    writing = Writing(file, 30)
    with caplog.at_level(logging.WARNING):
        writing.once()
        writing.once()
    assert caplog.text.count("could not be written") == 1
    (path.parent / "later").mkdir()
    writing.once()
    assert (path.parent / "later" / "cinder-backup.prom").exists()
    file.close()


class Conf(dict[str, Any]):
    host = "node1"


@pytest.mark.usefixtures("counters")
def test_the_service_writes_only_where_the_option_says_and_once_per_process(path: Path) -> None:
    begun: list[threading.Event] = []

    class Noted(Writing):
        def start(self) -> None:
            begun.append(self._ended)
            self.once()

    start_writing(Conf(backup_dispatch_metrics_file=None), Noted)
    assert begun == []
    options = Conf(backup_dispatch_metrics_file=str(path), backup_dispatch_metrics_interval=30)
    start_writing(options, Noted)
    start_writing(options, Noted)
    assert len(begun) == 1
    assert path.exists()
    stop_writing()
    assert begun[0].is_set()
