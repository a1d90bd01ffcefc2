# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch verify --all``: each backup in its turn, and its verdict remembered."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from oslo_utils import timeutils

from backup_dispatch.examination.side_by_side import answers
from backup_dispatch.jobs.locking import only_run_of
from backup_dispatch.jobs.remembered import VERIFIED
from tests.fixtures.backends.verified_cloud import Reads, VerifiedCloud, flip

pytestmark = pytest.mark.long

Run = Callable[..., Any]

ALL = ("posix_1", "posix_2", "posix_3", "shelf_driver_1")


@pytest.fixture
def cloud(start_dispatching: Callable[..., Any], tmp_path: Path) -> VerifiedCloud:
    return VerifiedCloud(start_dispatching(), tmp_path / "posix")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def results(ended: Any) -> dict[str, str]:
    return {row["Name"]: row["Result"] for row in ended.json}


@pytest.mark.release
def test_each_backup_is_verified_in_turn_and_remembered(
    cloud: VerifiedCloud, run: Run, reads: Reads
) -> None:
    whole = run("verify", "posix_3", "-f", "json").json["read"]
    reads.names.clear()
    ended = run("verify", "--all", "-f", "json")
    assert ended.code == 0, ended.err
    rows = ended.json
    assert [(row["ID"], row["Name"], row["Backend"], row["Result"]) for row in rows] == [
        (cloud[name].id, name, name.rpartition("_")[0], "sound") for name in ALL
    ]
    assert sum(row["Read"] for row in rows[:3]) == whole
    assert set(Counter(reads.names).values()) == {1}, "no object was read twice"
    assert cloud.remembered() == dict.fromkeys(ALL, "sound")
    assert "4 sound, 0 DAMAGED, 0 not known. Read " in ended.err
    # A verdict says since when all was read that a restore reads.
    times = {row["Verified"] for row in rows[:3]}
    assert cloud["posix_3"].metadata[VERIFIED].split()[1] == min(times)


def test_dry_run_shows_the_order_and_why_and_reads_nothing(
    cloud: VerifiedCloud, run: Run, reads: Reads
) -> None:
    assert run("verify", "--all", "--backend", "shelf_driver").code == 0
    reads.names.clear()
    ended = run("verify", "--all", "--dry-run", "-f", "json")
    assert [(row["Name"], row["Why"], row["Result"]) for row in ended.json] == [
        ("posix_1", "never verified", None),
        ("posix_2", "never verified", None),
        ("posix_3", "never verified", None),
        ("shelf_driver_1", "sound 0 hours ago", "sound"),
    ]
    assert ended.err == "4 of 4 backups, 4 of 4 GB of volumes.\n"
    assert reads.names == []
    assert cloud.verified("posix_1") is None
    young = run("verify", "--all", "--dry-run", "--unverified-since", "1h", "-f", "json")
    assert len(young.json) == 3


def test_a_table_fits_a_terminal(cloud: VerifiedCloud, run: Run) -> None:
    backup = cloud["posix_2"]
    backup.display_name = "x" * 200
    backup.save()
    for options in (["--dry-run"], ["--newer-than", "1d"], []):
        shown = run("verify", "--all", *options).out
        assert max(map(len, shown.splitlines())) <= 80
    assert backup.id[:8] in shown


def test_damage_is_told_loudly_once_and_reaches_what_builds_on_it(
    cloud: VerifiedCloud, run: Run
) -> None:
    assert run("verify", "--all").code == 0
    file = cloud.object("posix_1")
    sound = file.read_bytes()
    flip(file)
    first = run("verify", "--all", "-f", "json")
    assert first.code == 1
    wrong = dict.fromkeys(ALL[:3], "DAMAGED")
    assert results(first) == {**wrong, "shelf_driver_1": "sound"}
    assert cloud.remembered() == {**wrong, "shelf_driver_1": "sound"}
    told = first.err
    for name in ALL[:3]:
        assert told.count(f"Backup {cloud[name].id} ({name}, backend posix) is damaged in") == 1
    assert f"object {file.name}: its zstd data is broken" in told
    parent = f"backup {cloud['posix_1'].id}, on which backup {cloud['posix_3'].id} builds, is"
    assert parent in told
    assert [row["News"] for row in first.json] == [True] * 3 + [False]

    again = run("verify", "--all", "-f", "json")
    assert again.code == 0
    assert results(again) == results(first)
    assert "is damaged in" not in again.err
    assert again.err.count("is damaged, as was told before") == 3
    assert run("verify", "--all", "--strict").code == 1

    flip(cloud.object("posix_2"))
    changed = run("verify", "--all", "-f", "json")
    assert changed.code == 1
    assert {row["Name"] for row in changed.json if row["News"]} == {"posix_2", "posix_3"}

    file.write_bytes(sound)
    flip(cloud.object("posix_2"))
    mended = run("verify", "--all", "-f", "json")
    assert (mended.code, set(results(mended).values())) == (0, {"sound"})
    assert mended.err.count("is sound again") == 3


def test_damage_of_a_parent_is_remembered_of_its_children_though_they_have_no_turn(
    cloud: VerifiedCloud, run: Run
) -> None:
    assert run("verify", "--all").code == 0
    old = cloud["posix_1"]
    flip(cloud.object("posix_1"))
    _age(old, 40)
    ended = run("verify", "--all", "--unverified-since", "30d", "-f", "json")
    assert ended.code == 1
    assert results(ended) == dict.fromkeys(ALL[:3], "DAMAGED")
    assert cloud.verified("posix_3") == "DAMAGED"


def test_own_data_that_was_read_lately_is_not_read_again(
    cloud: VerifiedCloud, run: Run, reads: Reads
) -> None:
    assert run("verify", "--all").code == 0
    _age(cloud["posix_1"], 40)
    # Since then the second has been read, and the first has not.
    _age(cloud["posix_2"], 40, read=10)
    reads.names.clear()
    ended = run("verify", "--all", "--unverified-since", "30d", "-f", "json")
    read = {row["Name"]: row["Read"] for row in ended.json}
    assert set(read) == {"posix_1", "posix_2"}
    assert read["posix_2"] == 0
    assert all(cloud.backups["posix_1"].service_metadata in name for name in reads.names)
    told = cloud["posix_2"].metadata[VERIFIED]
    ten_days = timeutils.utcnow() - timedelta(days=10)
    assert told.startswith(f"sound {ten_days:%Y-%m-%d}")


def _age(backup: Any, days: int, *, read: int | None = None) -> None:
    def at(days: int) -> str:
        return f"{timeutils.utcnow() - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"

    text = f"sound {at(days)}" + (f" read {at(read)}" if read is not None else "")
    backup.metadata = {**backup.metadata, VERIFIED: text}
    backup.save()


def test_backend_that_is_down_leaves_its_backups_not_known_and_untouched(
    cloud: VerifiedCloud, run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.cinder.create_backup(cloud.volume, "shelf_driver_2")
    shutil.rmtree(shelf)
    shelf.write_text("no folder")
    asked: list[str] = []

    def count(checks: Any, deadline: float) -> Any:
        asked.extend(checks)
        return answers(checks, deadline)

    monkeypatch.setattr("backup_dispatch.command.cloud.answers", count)
    ended = run("verify", "--all", "-f", "json")
    assert ended.code == 3
    down = ("shelf_driver_1", "shelf_driver_2")
    assert results(ended) == {**dict.fromkeys(ALL[:3], "sound"), **dict.fromkeys(down, "not known")}
    assert sorted(asked) == ["posix", "shelf_driver"], "each is asked once"
    (line,) = ended.json[3]["Not known"]
    assert f"Not known: {line}" in ended.err
    assert "shelf_driver" in line
    assert (cloud.verified("shelf_driver_1"), cloud.tried("shelf_driver_1")) == (None, False)


def test_backup_that_cannot_be_read_is_tried_again_after_all_others(
    cloud: VerifiedCloud, run: Run, reads: Reads
) -> None:
    def fail(_number: int) -> None:
        raise PermissionError("not today")

    reads.happen = fail
    ended = run("verify", "--all", "-f", "json")
    assert ended.code == 3
    assert set(results(ended).values()) == {"not known", "sound"}
    assert cloud.tried("posix_1")
    reads.happen = lambda _number: None
    cloud.cinder.create_backup(cloud.volume, "posix_more")
    rows = run("verify", "--all", "--dry-run", "-f", "json").json
    assert [(row["Name"], row["Why"]) for row in rows[:2]] == [
        ("posix_more", "never verified"),
        ("posix_1", "never verified, tried 0 hours ago"),
    ]
    assert run("verify", "--all").code == 0
    assert not cloud.tried("posix_1")


def test_backend_without_verdicts_is_left_alone_for_this_run(
    cloud: VerifiedCloud, run: Run, reads: Reads
) -> None:
    for number in range(3):
        cloud.cinder.create_backup(cloud.volume, f"posix_more_{number}")

    def fail(_number: int) -> None:
        raise PermissionError("not today")

    reads.happen = fail
    ended = run("verify", "--all", "--backend", "posix", "-f", "json")
    assert ended.code == 3
    alone = [row["Name"] for row in ended.json if "was left alone" in str(row["Not known"])]
    assert alone == ["posix_more_0", "posix_more_1", "posix_more_2"]


def test_records_of_backends_that_are_not_enabled_are_counted_as_not_known(
    cloud: VerifiedCloud, run: Run
) -> None:
    moved = cloud["shelf_driver_1"]
    moved.service = "cinder.backup.drivers.posix.PosixBackupDriver@east"
    moved.save()
    ended = run("verify", "--all", "-f", "json")
    assert ended.code == 3
    assert list(results(ended)) == list(ALL[:3])
    assert "Not known: 1 backups of east, which is not enabled." in ended.err
    assert run("verify", "--all", "--backend", "posix").code == 0


def test_two_runs_at_once_are_one(cloud: VerifiedCloud, run: Run) -> None:
    with only_run_of("verify"):
        ended = run("verify", "--all")
        assert (ended.code, ended.out) == (1, "")
        assert "Another verify is running: nothing was done." in ended.err
        assert run("verify", "--all", "--dry-run").code == 0
    assert run("verify", "--all").code == 0


MISTAKES = [
    ([], "Give a BACKUP, or --all."),
    (["posix_1", "--all"], "Give a BACKUP, or --all."),
    (["posix_1", "--share", "10%"], "--share needs --all."),
    (["posix_1", "--dry-run"], "--dry-run needs --all."),
    (["--all", "--sample", "10"], "--sample is for one backup: --all remembers when each was last"),
    (["--all", "--seed", "1"], "A part of all backups in each run: --share PERCENT."),
    (["--all", "--backend", "nosuch"], "There is no backend nosuch; enabled are posix, shelf"),
    (["--all", "--share", "0%"], "0% is no percentage above 0 and up to 100"),
    (["--all", "--time", "2"], "'2' is no time: write a number of minutes, hours or days"),
    (["--all", "--time", "0h"], "'0h' is no time"),
    (["--all", "--newer-than", "7"], "is no age"),
    (["--all", "-f", "shell"], "-f shell cannot show a list."),
    (["posix_1", "-f", "csv"], "-f csv cannot show one backup."),
]


def test_options_that_cannot_be_meant_are_refused(
    start_dispatching: Callable[..., Any], run: Run
) -> None:
    start_dispatching()
    for arguments, told in MISTAKES:
        ended = run("verify", *arguments)
        assert (ended.code, ended.out) == (2, ""), arguments
        assert told in ended.err, arguments


def test_list_and_show_tell_the_last_verification(cloud: VerifiedCloud, run: Run) -> None:
    assert run("verify", "--all", "--backend", "posix").code == 0
    shown = run("show", "posix_1", "-f", "json").json["verified"]
    assert shown.startswith("sound 20")
    assert run("show", "shelf_driver_1", "-f", "json").json["verified"] is None
    rows = run("list", "--volume", cloud.volume.id, "-f", "json").json
    assert [row["Verdict"] for row in rows] == ["sound", "sound", "sound", None]
    rows = run("list", "--unverified-since", "1d", "-f", "json").json
    assert [(row["Name"], row["Verified"]) for row in rows] == [("shelf_driver_1", None)]
    flip(cloud.object("posix_3"))
    assert run("verify", "--all").code == 1
    table = run("list", "--unverified-since", "1d").out
    assert "DAMAGED" in table
    assert max(map(len, table.splitlines())) <= 80


def test_backups_of_all_kinds_of_backends_are_verified(
    four_backups: dict[str, Any], cloud_of_four: Any, run: Run
) -> None:
    ended = run("verify", "--all", "--time", "1h", "-f", "json")
    assert ended.code == 0, ended.err
    assert results(ended) == dict.fromkeys(four_backups, "sound")
    for name, backup in four_backups.items():
        told = cloud_of_four.backup(backup.id).metadata[VERIFIED]
        assert told.startswith("sound "), name


def test_terminal_sees_what_is_read_and_how_long_it_will_take(
    cloud: VerifiedCloud, run: Run
) -> None:
    on_terminal = run("verify", "--all", "--time", "2h", terminal=True).err
    first = on_terminal.split("\r")[1]
    assert re.match(r"\[-+\]   0% 1 of 4: posix_1, 2 h 00 min left", first)
    assert "%" not in on_terminal.rpartition("\r")[2], "the line is gone when it is done"
    assert max(map(len, on_terminal.replace("\n", "\r").split("\r"))) < 80
    assert "%" not in run("verify", "--all").err
