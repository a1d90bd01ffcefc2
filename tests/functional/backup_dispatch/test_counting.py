# SPDX-License-Identifier: Apache-2.0
"""What the service counts while real drivers move real data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.counting import counters as counting
from backup_dispatch.counting.counters import FAILED, OK, Counters
from backup_dispatch.counting.figures import (
    NEW,
    PROPERTY,
    READ,
    SHARED,
    STORED,
    WRITTEN,
    ZERO,
    read_back,
)
from datera_emulator import Emulator
from datera_emulator.target import brick

pytestmark = pytest.mark.release

Start = Callable[..., Any]
MIB = 2**20
SIZE = 16 * MIB
"""Bytes of a test's volume of 1 GiB."""


@pytest.fixture
def counters() -> Iterator[Counters]:
    yield counting.reset()
    counting.reset()


@pytest.fixture
def start_with_datera(start_dispatching: Start, tmp_path: Path) -> Iterator[Start]:
    from datera_backup.storage.backend import forget_backends

    with Emulator(state_dir=tmp_path / "array") as emulator:
        brick.install("iqn.1993-08.org.debian:01:testhost")
        options = {
            "backup_datera_san_ip": "127.0.0.1",
            "backup_datera_san_login": emulator.username,
            "backup_datera_san_password": emulator.password,
            "backup_datera_api_port": emulator.https_port,
            "backup_datera_ssl_cert_verify": True,
            "backup_datera_ssl_cert_path": emulator.ca_bundle,
        }
        more = "\n".join(f"{name} = {value}" for name, value in options.items())
        yield lambda: start_dispatching(primary="datera", more=more)
        brick.uninstall()
    forget_backends()


def property_of(backup: Any) -> dict[str, int]:
    return read_back(type(backup).get_by_id(backup._context, backup.id).metadata[PROPERTY])


def test_a_chunked_drivers_backup_tells_what_it_stores_and_shares(
    start_dispatching: Start, counters: Counters
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    cinder.write(volume, MIB, b"first" * 1000)
    first = cinder.create_backup(volume, "posix_1")
    cinder.write(volume, 5 * MIB, b"second" * 1000)
    second = cinder.create_backup(volume, "posix_2", incremental=True)
    assert (first.status, second.status) == ("available", "available")

    whole, part = property_of(first), property_of(second)
    assert (whole[NEW], whole[SHARED]) == (SIZE, 0)
    assert 0 < whole[STORED] < SIZE / 100, "zeros compress"
    assert 0 < part[NEW] < MIB
    assert part[NEW] + part[SHARED] == SIZE
    counts = counters.snapshot()
    assert counts.ended == {("backup", "posix", OK): 2}
    assert counts.figures["backup", "posix"][READ] == 2 * SIZE
    assert counts.figures["backup", "posix"][STORED] == whole[STORED] + part[STORED]

    cinder.restore_backup(second)
    cinder.delete_backup(second)
    counts = counters.snapshot()
    assert counts.ended["restore", "posix", OK] == counts.ended["delete", "posix", OK] == 1
    # Not the lists of digests, which only the next incremental reads.
    assert 0 < counts.figures["restore", "posix"][STORED] < whole[STORED]
    assert counts.figures["restore", "posix"][WRITTEN] > 0


def test_a_users_properties_survive_what_the_service_notes(
    start_dispatching: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinder.backup.drivers.posix import PosixBackupDriver

    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    back_up = PosixBackupDriver.backup

    def back_up_while_a_user_edits(self: Any, backup: Any, *more: Any, **named: Any) -> Any:
        record = cinder.backup(backup.id)
        record.metadata = {**record.metadata, "ticket": "4711"}
        record.save()
        return back_up(self, backup, *more, **named)

    monkeypatch.setattr(PosixBackupDriver, "backup", back_up_while_a_user_edits)
    made = cinder.create_backup(volume, "posix_1")
    kept = cinder.backup(made.id).metadata
    assert kept.keys() >= {"ticket", PROPERTY, "backup_backend"}


def test_a_note_that_cannot_be_saved_fails_no_backup(
    start_dispatching: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch import backup_rows

    def refuse(*_arguments: Any) -> bool:
        raise OSError("the database is gone")

    cinder = start_dispatching()
    monkeypatch.setattr(backup_rows, "set_properties", refuse)
    made = cinder.create_backup(cinder.create_volume(1), "posix_1")
    assert made.status == "available", made.fail_reason


def test_refusals_and_failures_are_counted_apart(
    start_dispatching: Start, counters: Counters, recording: Any
) -> None:
    cinder = start_dispatching(secondaries="tests.fixtures.backends.recording_driver")
    volume = cinder.create_volume(1)
    assert cinder.create_backup(volume, "ceph_1").status == "error"
    recording.answers["backup"] = OSError("full")
    assert cinder.create_backup(volume, "recording_driver_1").status == "error"
    counts = counters.snapshot()
    assert counts.refused == {("backup", "choice_refused"): 1}
    assert counts.ended == {("backup", "recording_driver", FAILED): 1}
    assert counts.checks["posix", OK] >= 1


def test_the_service_writes_its_file_from_its_start(
    start_dispatching: Start, counters: Counters, tmp_path: Path
) -> None:
    from backup_dispatch.counting import textfile

    path = tmp_path / "cinder-backup.prom"
    try:
        cinder = start_dispatching(more=f"backup_dispatch_metrics_file = {path}")
        assert counters.snapshot().ended == {}
        made = cinder.create_backup(cinder.create_volume(1), "posix_1")
        assert made.status == "available"
        assert textfile._writing is not None
        textfile._writing[2].once()
        assert 'operation="backup",outcome="ok",worker="0"} 1.0' in path.read_text()
    finally:
        textfile.stop_writing()


@pytest.mark.parametrize("incremental", [False, True])
def test_datera_tells_all_parts_and_stages(
    start_with_datera: Start, counters: Counters, incremental: bool
) -> None:
    cinder = start_with_datera()
    volume = cinder.create_volume(1)
    cinder.write(volume, MIB, bytes(range(256)) * 4096)
    made = cinder.create_backup(volume, "datera_1")
    if incremental:
        cinder.write(volume, 9 * MIB, b"more" * 100)
        made = cinder.create_backup(volume, "datera_2", incremental=True)
    assert made.status == "available", made.fail_reason
    parts = property_of(made)
    assert parts[NEW] + parts[SHARED] + parts[ZERO] == SIZE
    assert (parts[SHARED] >= MIB) == incremental
    assert parts[ZERO] > 0.9 * SIZE
    assert 0 < parts[STORED] < parts[NEW]
    moved = counters.snapshot().figures["backup", "datera"]
    assert moved["seconds_reading"] > 0
    assert moved["seconds_processing"] > 0
    assert moved["seconds_writing"] > 0
    assert moved["retries"] == 0
    cinder.restore_backup(made)
    restored = counters.snapshot().figures["restore", "datera"]
    assert restored[WRITTEN] >= MIB
    assert restored[STORED] > 0
