# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch prune`` over real backups on real backends, as an operator types it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.ordinary_user import PROJECT

pytestmark = pytest.mark.long

MIB = 2**20


@pytest.fixture
def nights(cloud_of_four: Any) -> dict[str, tuple[Any, bytes]]:
    """Backups of one volume: five on Datera in one chain, two chains of two on posix."""
    cinder = cloud_of_four
    volume = cinder.create_volume(1)
    made: dict[str, tuple[Any, bytes]] = {}
    plan = [("datera", number, number > 0) for number in range(5)]
    plan += [("posix", number, number in (1, 3)) for number in range(4)]
    for backend, number, incremental in plan:
        name = f"{backend}_{number}"
        cinder.write(volume, len(made) * MIB, name.encode() * 1000)
        backup = cinder.create_backup(volume, name, incremental=incremental)
        assert backup.status == "available", backup.fail_reason
        made[name] = (backup, cinder.read(volume, 0, 16 * MIB))
    return made


def names(cinder: Any) -> dict[str, str | None]:
    """The names of all backups, with those of their parents."""
    found = {one.id: one for one in cinder.backups.get_all(cinder.context)}
    return {
        one.display_name: found[one.parent_id].display_name if one.parent_id else None
        for one in found.values()
    }


def usage(cinder: Any) -> int:
    with sqlite3.connect(cinder.database) as database:
        query = "SELECT in_use FROM quota_usages WHERE resource = 'backups'"
        (used,) = database.execute(query).fetchone()
    return int(used)


def test_what_is_left_restores_right_and_cinder_counts_right(
    cloud_of_four: Any, nights: dict[str, tuple[Any, bytes]], run: Callable[..., Any]
) -> None:
    cinder = cloud_of_four
    ended = run("prune", "--keep-last", "2")
    assert ended.code == 0, ended.err
    assert "5 backups were deleted, 4 kept." in ended.err
    assert names(cinder) == {
        "datera_3": None,
        "datera_4": "datera_3",
        "posix_2": None,
        "posix_3": "posix_2",
    }
    assert usage(cinder) == 4
    for name in names(cinder):
        backup, content = nights[name]
        restored = cinder.restore_backup(backup)
        assert restored.status == "available", cinder.failures
        assert cinder.read(restored, 0, 16 * MIB) == content
        assert run("verify", name).code == 0
    assert run("prune", "--keep-last", "2").out.strip() == ""
    younger = cinder.create_backup(cinder.volume(backup.volume_id), "datera_5", incremental=True)
    assert (younger.status, names(cinder)["datera_5"]) == ("available", "datera_4")


class Killed(BaseException):
    """The service is gone."""


@pytest.mark.parametrize("step", ["begin", "refuse_while_child_is_busy", "hand_children_over"])
def test_a_service_killed_while_it_forgets_a_parent_resumes_that(
    cloud_of_four: Any,
    nights: dict[str, tuple[Any, bytes]],
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    from backup_dispatch.calls import retirement

    cinder = cloud_of_four
    arguments = ("prune", "--keep-last", "4", "--backend", "datera")

    def die(*_arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(retirement, step, die)
        with pytest.raises(Killed):
            run(*arguments)
    assert cinder.backup(nights["datera_0"][0].id).status == "deleting"
    cinder.restart_backup_manager()
    assert names(cinder)["datera_1"] is None
    assert "datera_0" not in names(cinder)
    assert usage(cinder) == 8
    backup, content = nights["datera_1"]
    assert cinder.read(cinder.restore_backup(backup), 0, 16 * MIB) == content
    assert run(*arguments).code == 0


def test_a_dry_run_changes_nothing_and_fits_a_terminal(
    cloud_of_four: Any,
    nights: dict[str, tuple[Any, bytes]],
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    arguments = ("prune", "--keep-last", "1", "--keep-hourly", "1", "--keep-daily", "1")
    before = names(cloud_of_four)
    ended = run(*arguments, "--dry-run")
    assert ended.code == 0, ended.err
    assert names(cloud_of_four) == before
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len({len(line) for line in lines}) == 1
    assert any(" keep " in line and "last, hourly" in line for line in lines)
    assert any(f"for {nights['posix_3'][0].id[:8]}" in line for line in lines)
    fates = {row["Name"]: row for row in run(*arguments, "--dry-run", "-f", "json").json}
    assert fates["datera_4"]["Why"] == ["last", "hourly", "daily"]
    assert fates["posix_2"]["Why"] == [f"for {nights['posix_3'][0].id}"]
    gone = {row["Name"] for row in run(*arguments, "-f", "json").json if row["Fate"] == "gone"}
    assert gone == {name for name, row in fates.items() if row["Fate"] == "go"}


def test_filters_name_what_a_run_is_about(
    cloud_of_four: Any, nights: dict[str, tuple[Any, bytes]], run_json: Callable[..., Any]
) -> None:
    def listed(*arguments: str) -> set[str]:
        rows = run_json("prune", "--keep-last", "1", "--dry-run", *arguments)
        return {row["Name"] for row in rows}

    posix = {name for name in nights if name.startswith("posix")}
    volume = nights["posix_0"][0].volume_id
    assert listed("--backend", "posix") == posix
    assert listed("--prefix", "posix_3") == {"posix_3"}
    assert listed("--volume", volume, "--project", "f" * 32) == set(nights)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "There is no policy, so nothing is pruned"),
        (("--keep-within", "14x"), "no span of time"),
        (("--keep-daily", "some"), "write a number"),
        (("--keep-daily", "1", "--backend", "tape"), "There is no backend tape"),
        (("--keep-daily", "1", "--volume", "mine"), "give the volume's ID"),
        (
            ("--keep-daily", "1", "--volume", "0ab15bd9-9105-4ec2-8319-ed3ec77e7264"),
            "There is no backup of volume",
        ),
        (("--keep-daily", "1", "--project", "nobody"), "There is no backup of project"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_touched(
    start_dispatching: Callable[..., Any],
    run: Callable[..., Any],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    for number in range(2):
        cinder.create_backup(volume, f"posix_{number}")
    ended = run("prune", *arguments)
    assert ended.code == 2
    assert told in ended.err
    assert len(names(cinder)) == 2


def test_a_policy_that_would_empty_a_backend_needs_force_and_a_volume_keeps_one(
    start_dispatching: Callable[..., Any], run: Callable[..., Any]
) -> None:
    cinder = start_dispatching()
    volume, other = cinder.create_volume(1), cinder.create_volume(1)
    for name, whose in (("posix_1", volume), ("shelf_driver_1", volume), ("posix_2", other)):
        assert cinder.create_backup(whose, name).status == "available"
    away = ("prune", "--keep-last", "0", "--backend", "posix")
    ended = run(*away)
    assert ended.code == 2
    assert "add --force" in ended.err
    assert len(names(cinder)) == 3
    ended = run(*away, "--force")
    assert set(names(cinder)) == {"shelf_driver_1", "posix_2"}
    assert ended.code == 0, ended.err


def test_an_unsound_newest_backup_is_told_and_nothing_goes(
    start_dispatching: Callable[..., Any], run: Callable[..., Any]
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    made = [cinder.create_backup(volume, f"posix_{number}") for number in range(3)]
    made[2].status = "error"
    made[2].save()
    ended = run("prune", "--keep-last", "1", "-f", "json")
    assert ended.code == 1
    assert f"Nothing is pruned of volume {volume.id}: the newest, {made[2].id}, is error." in (
        ended.err
    )
    assert [(row["Name"], row["Fate"]) for row in ended.json] == [("posix_0", "kept")]
    assert len(names(cinder)) == 3


def test_a_second_run_meanwhile_does_nothing(
    start_dispatching: Callable[..., Any], run: Callable[..., Any]
) -> None:
    from backup_dispatch.jobs.locking import only_run_of

    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    for number in range(2):
        cinder.create_backup(volume, f"posix_{number}")
    with only_run_of("prune"):
        ended = run("prune", "--keep-last", "1")
        assert (ended.code, ended.out) == (1, "")
        assert "Another prune is running" in ended.err
        assert run("prune", "--keep-last", "1", "--dry-run").code == 0
    assert len(names(cinder)) == 2
    assert run("prune", "--keep-last", "1").code == 0
    assert len(names(cinder)) == 1


def test_a_request_of_a_process_is_resumed_by_the_service_that_missed_it(
    start_dispatching: Callable[..., Any], tmp_path: Path
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    for number in range(2):
        cinder.create_backup(volume, f"posix_{number}")
    # The bus of this process reaches nobody else.
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("backup-dispatch")),
            *("--config-file", str(tmp_path / "cinder.conf")),
            *("prune", "--keep-last", "1", "--timeout", "0.1", "-f", "json"),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 3, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["Name"], row["Fate"]) == ("posix_0", "not known")
    assert "testhost is still deleting it" in done.stderr
    cinder.restart_backup_manager()
    assert set(names(cinder)) == {"posix_1"}
    assert usage(cinder) == 1


# Policies in cinder.conf

RETENTION = """\
[retention_weekly]
name_prefix = posix_weekly
keep_yearly = unlimited
[retention_gold]
volume_type = gold
keep_last = 2
"""


def test_policies_in_cinder_conf_count_by_prefix_and_volume_type_and_the_service_starts(
    start_dispatching: Callable[..., Any], run: Callable[..., Any]
) -> None:
    names_them = "backup_dispatch_retention = retention_weekly, retention_gold"
    cinder = start_dispatching(more=names_them, sections=RETENTION)
    gold = cinder.create_volume_type("gold", {})
    rich, poor = cinder.create_volume(1, volume_type=gold), cinder.create_volume(1)
    for name, whose in (
        *((f"posix_{number}", rich) for number in range(4)),
        *((f"posix_plain_{number}", poor) for number in range(3)),
        *((f"posix_weekly_{number}", poor) for number in range(3)),
    ):
        assert cinder.create_backup(whose, name).status == "available"
    ended = run("prune", "--dry-run", "-f", "json")
    assert {(row["Policy"], row["Name"]) for row in ended.json if row["Fate"] == "go"} == {
        ("retention_gold", "posix_0"),
        ("retention_gold", "posix_1"),
        ("retention_weekly", "posix_weekly_1"),
    }
    ended = run("prune")
    assert ended.code == 0, ended.err
    assert set(names(cinder)) == {
        "posix_2",
        "posix_3",
        *(f"posix_plain_{number}" for number in range(3)),
        "posix_weekly_0",
        "posix_weekly_2",
    }


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("[retention]\nkeep_dayly = 7\n", "the nearest is keep_daily"),
        ("[retention]\nkeep_daily = 7d\n", "keep_daily: '7d': write a number"),
        ("[retention]\nkeep_within = 7\n", "is no span of time"),
        ("[retention]\nname_prefix = x\n", "says nothing of what is kept"),
        ("[retention]\nvolume_type = tin\nkeep_last = 1\n", "there is no volume type tin"),
        ("[other]\nkeep_last = 1\n", "there is no section [retention]"),
    ],
)
def test_a_mistake_in_a_policy_is_refused_before_anything_is_touched(
    start_dispatching: Callable[..., Any], run: Callable[..., Any], lines: str, told: str
) -> None:
    start_dispatching(more="backup_dispatch_retention = retention", sections=lines)
    ended = run("prune")
    assert ended.code == 2
    assert told in ended.err
