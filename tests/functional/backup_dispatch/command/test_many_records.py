# SPDX-License-Identifier: Apache-2.0
"""The commands that read all records ask the database a few times, however many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

pytestmark = pytest.mark.release

Start = Callable[..., Any]
Run = Callable[..., Any]

SWIFT = "cinder.backup.drivers.swift.SwiftBackupDriver"
POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
VOLUME = str(UUID(int=1))


def id_of(number: int) -> str:
    return str(UUID(int=10**6 + number))


def record(cinder: Any, count: int, service: str, *, chained: bool = False) -> list[str]:
    """Write records of backups that nobody has, and return their ids, the oldest first."""
    ids = [id_of(number) for number in range(count)]
    parents = [None, *ids] if chained else [None] * count
    rows = [
        (one, VOLUME, "u", "p", "available", 1, service, parent, "2026-01-02 03:04:05.000000")
        for one, parent in zip(ids, parents, strict=False)
    ]
    columns = "id, volume_id, user_id, project_id, status, size, service, parent_id, created_at"
    with sqlite3.connect(cinder.database) as database:
        database.executemany(
            f"INSERT INTO backups ({columns}, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", rows
        )
    return ids


@contextmanager
def statements() -> Iterator[list[str]]:
    """What Cinder's database is asked meanwhile."""
    from tests.fixtures.cinder.database import one_engine

    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append(statement)

    engine = one_engine().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def pages_of_hundred(monkeypatch: pytest.MonkeyPatch, cinder_imported: None) -> None:
    from backup_dispatch import backup_rows

    monkeypatch.setattr(backup_rows, "PAGE", 100)


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The groups of entry points that are read."""
    groups = []
    read = metadata.entry_points

    def noting(**wanted: str) -> Any:
        groups.append(wanted.get("group", ""))
        return read(**wanted)

    monkeypatch.setattr(metadata, "entry_points", noting)
    return groups


def test_list_of_many_records_lets_the_database_count(
    start_dispatching: Start, run_json: Callable[..., Any], looked_up: list[str]
) -> None:
    record(start_dispatching(), 1000, SWIFT)
    with statements() as asked:
        rows = run_json("list")
    assert {row["Backend"]: row["Backups"] for row in rows}["(swift, not enabled)"] == 1000
    assert len(asked) == 1
    assert len(looked_up) < 20, "not once a record"


@pytest.mark.usefixtures("pages_of_hundred")
def test_release_of_many_records_reads_them_in_pages(
    start_dispatching: Start, run: Run, looked_up: list[str]
) -> None:
    ids = record(start_dispatching(), 1000, SWIFT)
    with statements() as asked:
        ended = run("release", "-f", "json")
    assert [row["ID"] for row in ended.json] == ids
    assert len(asked) <= 12
    assert len(looked_up) < 20


@pytest.mark.usefixtures("pages_of_hundred")
def test_a_record_that_is_deleted_between_two_pages_ends_no_list(
    start_dispatching: Start, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch import backup_rows

    cinder = start_dispatching()
    ids = record(cinder, 250, SWIFT)
    read = backup_rows._execute

    def read_while_a_user_deletes(context: Any, query: Any) -> Any:
        found = read(context, query)
        if len(found) < backup_rows.PAGE:
            return found
        with sqlite3.connect(cinder.database) as database:
            database.execute("UPDATE backups SET deleted = 1 WHERE id = ?", (ids[99],))
        return found

    monkeypatch.setattr(backup_rows, "_execute", read_while_a_user_deletes)
    ended = run("release", "-f", "json")
    assert ended.code == 0, ended.err
    assert [row["ID"] for row in ended.json] == ids


def test_show_reads_a_long_chain_in_a_few_questions(
    start_dispatching: Start, run: Run, looked_up: list[str]
) -> None:
    ids = record(start_dispatching(), 300, POSIX, chained=True)
    with statements() as asked:
        ended = run("show", ids[-1], "-f", "json")
    assert ended.code == 0, ended.err
    assert [one["id"] for one in ended.json["lineage"]] == ids
    assert {one["backend"] for one in ended.json["lineage"]} == {"posix"}
    assert len(asked) <= 10
    assert len(looked_up) < 20


def test_show_finds_a_parent_that_names_another_volume(start_dispatching: Start, run: Run) -> None:
    """An imported parent may: its record came from another cloud."""
    cinder = start_dispatching()
    parent, child = record(cinder, 2, POSIX, chained=True)
    with sqlite3.connect(cinder.database) as database:
        database.execute(f"UPDATE backups SET volume_id = '{UUID(int=2)}' WHERE id = ?", (parent,))
    lineage = run("show", child, "-f", "json").json["lineage"]
    assert [one["id"] for one in lineage] == [parent, child]


def test_show_of_a_backup_that_is_its_own_ancestor_says_so(
    start_dispatching: Start, run: Run
) -> None:
    cinder = start_dispatching()
    first, second = record(cinder, 2, POSIX, chained=True)
    with sqlite3.connect(cinder.database) as database:
        database.execute("UPDATE backups SET parent_id = ? WHERE id = ?", (second, first))
    ended = run("show", first)
    assert ended.code == 3
    assert "is its own ancestor" in ended.err
