# SPDX-License-Identifier: Apache-2.0
"""Many backups: a later one costs what the first did, and a full cluster is told as that."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from datera_emulator import Limits

pytestmark = pytest.mark.long

BEFORE = 5
"""Backups between the two that are compared."""
LONGEST = 255
"""What Cinder keeps of a reason."""


RECORDS_WRITTEN = ["UPDATE backups", "UPDATE backups"]
"""Where the backup is going to be, and what came of it."""


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the database is asked while the block runs."""
    from sqlalchemy import event

    from tests.fixtures.cinder.database import one_engine

    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(" ".join(statement.split()))

    told = (one_engine().engine, "before_cursor_execute", note)
    event.listen(*told)
    yield asked
    event.remove(*told)


def switched(array: Any, **switches: Any) -> None:
    cluster = array.emulator.cluster
    cluster.switches = dataclasses.replace(cluster.switches, **switches)


@pytest.fixture
def make_volume(cloud: Any) -> Any:
    def make() -> Any:
        volume = cloud.create_volume(1)
        cloud.write(volume, 0, b"some data")
        return volume

    return make


def cost(cloud: Any, array: Any, volume: Any, *, incremental: bool) -> Any:
    counters = array.emulator.cluster.counters
    counters.reset()
    with statements() as asked:
        backup = cloud.create_backup(volume, incremental=incremental)
    assert backup.status == "available", backup.fail_reason
    return counters.requests, Counter(one.partition(" WHERE ")[0] for one in asked)


def of_records(asked: list[str]) -> list[str]:
    """The statements that are about backups, shortened: what they do, and what they look up."""
    table = "backups"
    about = [one for one in asked if f"FROM {table}" in one or one.startswith(f"UPDATE {table}")]
    return [
        f"{one.split()[0]} {table}"
        + (" by id" if one.startswith("SELECT") and f"{table}.id = " in one else "")
        for one in about
    ]


def test_a_later_backup_asks_the_array_and_the_database_no_more_than_an_early_one(
    cloud: Any, array: Any, make_volume: Any
) -> None:
    switched(array, largest_page=1)  # a list would take a request for each that is there
    first, *between, last = [make_volume() for _ in range(4)]
    cloud.create_backup(between[0])  # what a process asks only once is asked
    early = cost(cloud, array, first, incremental=False)
    early_incremental = cost(cloud, array, first, incremental=True)
    for number in range(BEFORE):
        cloud.create_backup(between[number % 2], incremental=number >= 2)
    assert cost(cloud, array, last, incremental=False) == early
    assert cost(cloud, array, last, incremental=True) == early_incremental


CHANGING = {
    "PUT /app_instances/:id": 2,  # online, and offline
    "PUT /app_instances/:id/storage_instances/:storage_instance_name/acl_policy/initiators": 2,
}
FOUND_AND_LEFT = 2
BECOMING_AVAILABLE = 2


@pytest.mark.parametrize(
    ("incremental", "requests"),
    [
        (False, {"POST /app_instances": 1, "GET /app_instances/:id": FOUND_AND_LEFT}),
        (True, {"GET /app_instances/:id": FOUND_AND_LEFT + BECOMING_AVAILABLE}),
    ],
)
def test_an_empty_backup_sends_only_requests_that_it_needs(
    cloud: Any, array: Any, *, incremental: bool, requests: dict[str, int]
) -> None:
    first, volume = cloud.create_volume(1), cloud.create_volume(1)
    cloud.create_backup(first)  # what a process asks only once is asked
    if incremental:
        cloud.create_backup(volume)
    sent, _ = cost(cloud, array, volume, incremental=incremental)
    assert {f"{method} {path}": times for (method, path), times in sent.items()} == {
        **CHANGING,
        **requests,
    }


@pytest.mark.parametrize(
    ("incremental", "looked_up"),
    [
        (False, ["is it being deleted"]),
        (True, ["the parent", "is it being deleted", "and once it will be waited for"]),
    ],
)
def test_records_of_backups_are_looked_up_by_their_id_alone(
    cloud: Any,
    make_volume: Any,
    monkeypatch: pytest.MonkeyPatch,
    incremental: bool,
    looked_up: list[str],
) -> None:
    from datera_backup.driver import DateraBackupDriver

    volume = make_volume()
    cloud.create_backup(volume)
    take, found = DateraBackupDriver.backup, []

    def noted(*call: Any) -> Any:
        with statements() as asked:
            ended = take(*call)
        found.extend(of_records(asked))
        return ended

    monkeypatch.setattr(DateraBackupDriver, "backup", noted)
    assert cloud.create_backup(volume, incremental=incremental).status == "available"
    assert sorted(found) == ["SELECT backups by id"] * len(looked_up) + RECORDS_WRITTEN


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("app_instances", "The cluster holds 1 app instances, its limit"),
        ("volumes", "The cluster holds no more than 1 volumes"),
        ("storage_instances", "The cluster holds no more than 1 targets"),
    ],
)
def test_a_backup_that_finds_the_cluster_full_says_so_and_leaves_nothing(
    cloud: Any, array: Any, make_volume: Any, limit: str, told: str
) -> None:
    kept, refused = make_volume(), make_volume()
    full = cloud.create_backup(kept)
    switched(array, limits=Limits(**{limit: 1}))
    backup = cloud.create_backup(refused)
    assert backup.status == "error"
    reason = backup.fail_reason[:LONGEST]
    assert "cluster limit reached" in reason
    assert told in reason
    assert f"cannot create app instance {backup.container}" in reason
    assert "Delete volumes or backups, or use another cluster" in reason
    assert array.names == [full.container]
    array.assert_quiet()
    assert cloud.volume(refused.id).status == "available"
    assert cloud.delete_backup(backup) is None
    # A chain that is there goes on.
    assert cloud.create_backup(kept, incremental=True).status == "available"
    assert array.names == [full.container]
    switched(array, limits=Limits())
    assert cloud.create_backup(refused).status == "available"
