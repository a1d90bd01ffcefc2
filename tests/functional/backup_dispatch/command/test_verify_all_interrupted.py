# SPDX-License-Identifier: Apache-2.0
"""``verify --all`` that ends early: by its time, by a signal, by a crash, beside other changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cinder import objects
from cinder.objects import fields

from backup_dispatch import backup_rows
from backup_dispatch.jobs.remembered import STATUSES, TRIED, VERIFIED, remember
from tests.fixtures.backends.verified_cloud import Reads, VerifiedCloud, flip

pytestmark = pytest.mark.long

Run = Callable[..., Any]

RUN = "backup_dispatch.command.verification.run"

NAMES = ("posix_1", "posix_2", "posix_3", "shelf_driver_1")


@pytest.fixture
def cloud(start_dispatching: Callable[..., Any], tmp_path: Path) -> VerifiedCloud:
    return VerifiedCloud(start_dispatching(), tmp_path / "posix")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(cinder_imported: None, monkeypatch: pytest.MonkeyPatch) -> Clock:
    from backup_dispatch.jobs.verification.outcome import Limits

    clock = Clock()
    monkeypatch.setattr(f"{RUN}.Limits", partial(Limits, clock=clock))
    return clock


class Killed(BaseException):
    """The process ends at once; nothing catches it."""


def results(ended: Any) -> dict[str, str]:
    return {row["Name"]: row["Result"] for row in ended.json}


def test_run_ends_in_its_time_and_the_next_goes_on(
    cloud: VerifiedCloud, run: Run, reads: Reads, clock: Clock
) -> None:
    full = len(_objects_of(cloud, reads, run, "posix_1"))

    def pass_time(number: int) -> None:
        clock.now += 600 if number >= full else 1

    reads.happen = pass_time
    ended = run("verify", "--all", "--time", "10m", "-f", "json")
    assert ended.code == 0, ended.err
    assert results(ended) == {"posix_1": "sound", **dict.fromkeys(NAMES[1:], "not reached")}
    assert "1 sound, 0 DAMAGED, 0 not known, 3 not reached." in ended.err
    assert cloud.remembered() == {"posix_1": "sound", **dict.fromkeys(NAMES[1:])}
    reads.happen = lambda _number: None
    reads.names.clear()
    ended = run("verify", "--all", "--unverified-since", "1d", "-f", "json")
    assert results(ended) == dict.fromkeys(NAMES[1:], "sound")
    first = cloud.backups["posix_1"].service_metadata
    assert not any(first in name for name in reads.names)


def _objects_of(cloud: VerifiedCloud, reads: Reads, run: Run, name: str) -> list[str]:
    assert run("verify", name).code == 0
    found = list(reads.names)
    reads.names.clear()
    return found


def test_backup_that_takes_longer_than_a_run_does_not_keep_the_others_from_their_turn(
    cloud: VerifiedCloud, run: Run, reads: Reads, clock: Clock
) -> None:
    first = cloud.backups["posix_1"].service_metadata

    def pass_time(_number: int) -> None:
        clock.now += 7200

    reads.happen = pass_time
    ended = run("verify", "--all", "--time", "1h", "-f", "json")
    assert set(results(ended).values()) == {"not reached"}
    assert f"Backup {cloud['posix_1'].id} could not be read to its end in 1 h 00 min" in ended.err
    assert cloud["posix_1"].metadata[TRIED].endswith("took longer than the run had time")
    assert cloud.verified("posix_1") is None
    order = run("verify", "--all", "--dry-run", "-f", "json").json
    # What builds on it cannot be verified before it.
    assert order[-1]["Name"] == "shelf_driver_1"
    for name in NAMES[1:3]:
        ended = run("verify", "--all", "--time", "1h", "-f", "json")
        assert cloud.tried(name)
    reads.happen = lambda _number: None
    ended = run("verify", "--all", "--time", "1h", "-f", "json")
    assert next(iter(results(ended))) == "shelf_driver_1"
    assert any(first in name for name in reads.names)
    assert cloud.remembered() == dict.fromkeys(NAMES, "sound")


def test_ctrl_c_leaves_what_was_finished_and_nothing_else(
    cloud: VerifiedCloud, run: Run, reads: Reads
) -> None:
    full = len(_objects_of(cloud, reads, run, "posix_1"))

    def interrupt(number: int) -> None:
        if number == full:
            raise KeyboardInterrupt

    reads.happen = interrupt
    ended = run("verify", "--all", "-f", "json")
    assert (ended.code, ended.out) == (130, "")
    assert "Cancelled after 1 of 4 backups; what was found is remembered." in ended.err
    assert cloud.remembered() == {"posix_1": "sound", **dict.fromkeys(NAMES[1:])}
    assert not cloud.tried("posix_2")
    reads.happen = lambda _number: None
    ended = run("verify", "--all", "--dry-run", "-f", "json")
    assert [row["Name"] for row in ended.json] == [*NAMES[1:], "posix_1"]


def test_what_hangs_is_interrupted_soon_after_the_time(
    cloud: VerifiedCloud, run: Run, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    monkeypatch.setattr(f"{RUN}.GRACE", 0.0)
    armed: list[float] = []
    set_timer = signal.setitimer

    def arm(which: int, seconds: float) -> Any:
        armed.append(seconds)
        return set_timer(which, 0)

    monkeypatch.setattr(signal, "setitimer", arm)

    def hang(_number: int) -> None:
        signal.raise_signal(signal.SIGALRM)

    reads.happen = hang
    ended = run("verify", "--all", "--time", "2h", "-f", "json")
    assert set(results(ended).values()) == {"not reached"}
    assert armed == [7200.0, 0]


def test_a_users_properties_stay_as_they_are_changed_meanwhile(
    cloud: VerifiedCloud, run: Run, reads: Reads
) -> None:
    user = cloud["posix_1"]
    user.metadata = {"mine": "old", "other": "x"}
    user.save()

    def change(number: int) -> None:
        if not number:
            mine = cloud["posix_1"]
            mine.metadata = {"mine": "new", "more": "y"}
            mine.save()

    reads.happen = change
    assert run("verify", "--all").code == 0
    kept = cloud["posix_1"].metadata
    assert kept.pop(VERIFIED).startswith("sound ")
    assert kept == {"mine": "new", "more": "y"}


@pytest.mark.parametrize("status", ["deleting", "deleted"])
def test_nothing_is_written_to_a_backup_that_is_being_deleted(
    cloud: VerifiedCloud, run: Run, reads: Reads, status: str
) -> None:
    leaf = cloud["posix_3"]
    last = leaf.service_metadata

    def delete(_number: int) -> None:
        if reads.names and last in reads.names[-1]:
            return
        record = cloud.cinder.backup(leaf.id)
        record.status = "deleting"
        record.save()
        if status == "deleted":
            record.destroy()
        reads.happen = lambda _number: None

    assert run("verify", "--all", "--backend", "shelf_driver").code == 0
    reads.names.clear()
    reads.happen = delete
    ended = run("verify", "--all", "-f", "json")
    assert ended.code == 3
    assert results(ended)["posix_3"] == "not known"
    (told,) = (row["Not known"] for row in ended.json if row["Name"] == "posix_3")
    assert "deleted" in str(told) or "deleting" in str(told)
    assert leaf.id not in backup_rows.properties(cloud.cinder.context, (VERIFIED, TRIED))
    assert _living_properties(cloud, leaf.id) == 0


def _living_properties(cloud: VerifiedCloud, backup_id: str) -> int:
    """Rows that would keep the record from being purged."""
    table = backup_rows._cinder("models").BackupMetadata
    manager = backup_rows._cinder("api").main_context_manager
    with manager.reader.using(cloud.cinder.context) as session:
        query = session.query(table).filter_by(backup_id=backup_id, deleted=False)
        query = query.filter(table.key.in_((VERIFIED, TRIED)))
        return int(query.count())


@pytest.mark.release
def test_property_is_set_changed_and_removed_by_itself(cloud: VerifiedCloud) -> None:
    backup = cloud["posix_1"]
    backup.metadata = {"mine": "x"}
    backup.save()
    context, seen = cloud.cinder.context, cloud["posix_1"].updated_at

    def set_to(value: str | None) -> bool:
        return bool(backup_rows.set_properties(context, backup.id, {"a": value}, STATUSES))

    assert set_to("1")
    assert cloud["posix_1"].metadata == {"mine": "x", "a": "1"}
    assert set_to("2")
    assert cloud["posix_1"].metadata == {"mine": "x", "a": "2"}
    assert set_to(None)
    assert cloud["posix_1"].metadata == {"mine": "x"}
    assert cloud["posix_1"].updated_at == seen
    assert objects.Backup.get_by_id(context, backup.id).status == "available"
    cloud.cinder.delete_backup(cloud["shelf_driver_1"])
    gone = cloud.backups["shelf_driver_1"].id
    every = fields.BackupStatus.ALL
    assert not backup_rows.set_properties(context, gone, {"a": "1"}, every)
    assert _living_properties(cloud, gone) == 0, "nothing else would be purged either"


@pytest.mark.parametrize(
    "where", ["command.verification.rows.Teller.__call__", "jobs.verification.run.remember"]
)
def test_damage_is_told_by_the_next_run_if_this_one_dies_before_it_is_remembered(
    cloud: VerifiedCloud, run: Run, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    flip(cloud.object("posix_1"))

    def die(*_arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"backup_dispatch.{where}", die)
        with pytest.raises(Killed):
            run("verify", "--all")
    ended = run("verify", "--all")
    assert ended.code == 1
    assert f"Backup {cloud['posix_1'].id} (posix_1, backend posix) is damaged in" in ended.err


@pytest.mark.faults
def test_runs_killed_at_seeded_moments_end_like_one_that_is_not(
    cloud: VerifiedCloud,
    run: Run,
    reads: Reads,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However often it dies: each has its verdict, damage was told, hardly anything read twice."""
    assert run("verify", "--all", "--backend", "posix").code == 0
    whole = len(reads.names)
    for seed in range(100):
        chance = random.Random(seed)
        _forget(cloud)
        caplog.clear()
        damaged = chance.choice(NAMES[:3]) if seed % 3 == 0 else None
        if damaged:
            flip(cloud.object(damaged))
        reads.names.clear()
        with monkeypatch.context() as patch:
            kills = _run_until_it_lives(run, reads, patch, chance)
        found = cloud.remembered()
        wrong = NAMES[NAMES.index(damaged) : 3] if damaged else ()
        assert found == {name: "DAMAGED" if name in wrong else "sound" for name in NAMES}, seed
        for name in wrong:
            assert f"Backup {cloud.backups[name].id} " in caplog.text, seed
        if damaged:
            flip(cloud.object(damaged))
        else:
            assert len(reads.names) <= whole + 4 * kills, seed


def _forget(cloud: VerifiedCloud) -> None:
    for name in NAMES:
        record = cloud[name]
        record.metadata = {}
        record.save()


def _run_until_it_lives(
    run: Run, reads: Reads, patch: pytest.MonkeyPatch, chance: random.Random
) -> int:
    """Run again and again until nothing kills it; how often something did."""

    def maybe_die(*_arguments: Any) -> None:
        if chance.random() < 0.15:
            raise Killed

    def remember_or_die(*arguments: Any) -> bool:
        maybe_die()
        saved = bool(remember(*arguments))
        maybe_die()
        return saved

    patch.setattr("backup_dispatch.jobs.verification.run.remember", remember_or_die)
    reads.happen = maybe_die
    kills = 0
    while True:
        try:
            run("verify", "--all", "--unverified-since", "1d", "-f", "json")
        except Killed:
            kills += 1
        else:
            reads.happen = lambda _number: None
            return kills
