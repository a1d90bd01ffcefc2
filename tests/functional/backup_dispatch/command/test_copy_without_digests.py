# SPDX-License-Identifier: Apache-2.0
"""Copies from and to a driver that can only restore: by a scratch file, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process
from tests.fixtures.backends.five_backends import IN_ITS_OWN_THREADS, counted, switch_to, usage_of

Run = Callable[..., Any]

MIB = 2**20

pytestmark = IN_ITS_OWN_THREADS


@pytest.fixture
def cloud(start_cinder: Callable[..., Any], datera_options: str) -> Iterator[Any]:
    """A Cinder whose backups go to Datera, and to tapes that hold the first MiB of a volume."""
    from datera_backup.storage.backend import forget_backends

    lines = (
        "backup_driver = backup_dispatch.driver.BackupDispatcher",
        "enabled_backup_backends = datera, tape",
        datera_options,
    )
    section = "[tape]\nbackup_driver = tests.fixtures.backends.tape_driver\n"
    yield start_cinder(defaults="\n".join(lines), sections=section)
    this_process().stop_checking()
    forget_backends()


def test_what_can_only_be_restored_is_copied_by_a_scratch_file(
    cloud: Any, run: Run, tmp_path: Path
) -> None:
    volume = cloud.create_volume(1)
    cloud.write(volume, 1000, b"on tape" * 1000)
    source = cloud.create_backup(volume, "tape_1")
    assert source.status == "available", source.fail_reason
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for arguments in ((), ("--scratch", str(scratch))):
        ended = run("copy", source.id, "--to", "datera", "-f", "json", *arguments)
        assert ended.code == 0, ended.err
        copy = cloud.backup(ended.json[0]["Copy"])
        switch_to(cloud, "datera")
        assert cloud.first_difference(cloud.restore_backup(copy), volume) is None
        assert cloud.delete_backup(copy) is None
    assert list(scratch.iterdir()) == []
    assert usage_of(cloud) == counted(cloud)


def test_what_keeps_no_digests_is_compared_with_its_source(cloud: Any, run: Run) -> None:
    volume = cloud.create_volume(1)
    cloud.write(volume, 1000, b"on tape" * 1000)
    source = cloud.create_backup(volume, "datera_1")
    ended = run("copy", source.id, "--to", "tape", "-f", "json")
    assert ended.code == 0, ended.err
    assert ended.json[0]["Verified"] == "that a full restore gives what was backed up"


@pytest.mark.faults
def test_a_driver_that_stores_less_than_it_gets_has_no_copy(
    cloud: Any, run: Run, tmp_path: Path
) -> None:
    volume = cloud.create_volume(1)
    cloud.write(volume, 2 * MIB, b"beyond the tape's end" * 1000)
    source = cloud.create_backup(volume, "datera_1")
    ended = run("copy", source.id, "--to", "tape", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "failed")
    assert "it ends at byte 1048576, and the volume's data at byte " in ended.json[0]["Reason"]
    assert [one.id for one in cloud.backups.get_all(cloud.context)] == [source.id]
    assert list((tmp_path / "tape").iterdir()) == []
    assert run("copy", source.id, "--to", "tape", "--verify", "none").code == 0


@pytest.mark.faults
def test_other_bytes_than_the_sources_are_damage(
    cloud: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.jobs.copying.copier import Copier

    volume = cloud.create_volume(1)
    cloud.write(volume, 1000, b"on tape" * 1000)
    source = cloud.create_backup(volume, "datera_1")

    verify = Copier.verify

    def verifying(copier: Copier, copy: Any, *more: Any) -> str:
        file = tmp_path / "tape" / copy.id
        file.write_bytes(b"x" + file.read_bytes()[1:])
        return verify(copier, copy, *more)

    monkeypatch.setattr(Copier, "verify", verifying)
    ended = run("copy", source.id, "--to", "tape", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "failed")
    assert "bytes 0 to 1048576 are not what was backed up" in ended.json[0]["Reason"]
    assert [one.id for one in cloud.backups.get_all(cloud.context)] == [source.id]
