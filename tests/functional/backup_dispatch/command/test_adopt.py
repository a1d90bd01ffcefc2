# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch adopt``: the owner is set only where the data can be."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process
from tests.fixtures.backends import shelf_driver

pytestmark = pytest.mark.long

Start = Callable[..., Any]
Run = Callable[..., Any]

SHELF = "tests.fixtures.backends.shelf_driver.ShelfBackupDriver"
GONE = "somewhere.else.Driver"


@pytest.fixture
def lost(start_dispatching: Start) -> tuple[Any, Any]:
    """A Cinder, and a backup on the shelf whose record says something else."""
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    cinder.write(volume, 0, b"kept" * 1000)
    backup = cinder.create_backup(volume, "shelf_driver_1")
    backup.service = GONE
    backup.metadata = {"mine": "too"}
    backup.save()
    return cinder, backup


def test_the_owner_is_written_down_and_the_backup_restores(lost: Any, run: Run) -> None:
    cinder, backup = lost
    ended = run("adopt", backup.id, "Shelf_Driver")
    assert ended.code == 0, ended.err
    assert ended.out == (
        f"Backup {backup.id} is held by backend shelf_driver; its record said {GONE}.\n"
    )
    after = cinder.backup(backup.id)
    assert after.service == SHELF
    assert after.metadata == {"mine": "too", "backup_backend": "shelf_driver"}
    assert cinder.restore_backup(after).status == "available", cinder.failures


def test_a_backend_without_the_data_is_refused_even_by_force(
    lost: Any, run: Run, tmp_path: Path
) -> None:
    cinder, backup = lost
    (tmp_path / "posix" / "another's").touch()
    ended = run("adopt", backup.id, "posix", "--force")
    assert ended.code == 1
    assert ended.err == (
        f"backup-dispatch: Backend posix says that it has nothing of backup {backup.id}.\n"
    )
    assert cinder.backup(backup.id).service == GONE


def test_a_backend_that_cannot_tell_needs_force(
    lost: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cinder, backup = lost
    monkeypatch.setattr(
        shelf_driver.ShelfBackupDriver, "holds", lambda _self, _backup: None, raising=False
    )
    ended = run("adopt", backup.id, "shelf_driver")
    assert ended.code == 3
    assert "shelf_driver has the data of backup" in ended.err
    assert "its driver cannot tell. If you know that it has, add --force." in ended.err
    assert cinder.backup(backup.id).service == GONE
    assert run("adopt", backup.id, "shelf_driver", "--force").code == 0
    assert cinder.backup(backup.id).service == SHELF


def test_adopt_for_a_backend_that_is_down_or_unknown_is_refused(
    lost: Any, run: Run, shelf: Path
) -> None:
    cinder, backup = lost
    shutil.rmtree(shelf)
    ended = run("adopt", backup.id, "shelf_driver", "--force")
    assert ended.code == 3
    assert "Backup backend shelf_driver is down: " in ended.err
    assert run("adopt", backup.id, "none").err == (
        "backup-dispatch: There is no backend none; enabled are posix, shelf_driver.\n"
    )
    assert cinder.backup(backup.id).service == GONE


@pytest.mark.parametrize("status", ["creating", "restoring", "deleting"])
def test_a_backup_that_is_being_worked_on_is_left_alone(lost: Any, run: Run, status: str) -> None:
    cinder, backup = lost
    backup.status = status
    backup.save()
    assert run("adopt", backup.id, "shelf_driver").code == 1
    assert cinder.backup(backup.id).service == GONE


POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
EAST = f"{POSIX}@east"


@pytest.fixture
def renamed(start_cinder: Start, shelf: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A Cinder whose backend east is called north now, and three backups that east made."""
    cinder = start_cinder(
        defaults="backup_driver = backup_dispatch.driver.BackupDispatcher\n"
        "enabled_backup_backends = posix, north, other",
        sections=f"[north]\nbackup_driver = posix\nbackup_posix_path = {shelf}\n"
        "[other]\nbackup_driver = tests.fixtures.backends.shelf_driver\n",
    )
    volume = cinder.create_volume(1)
    cinder.write(volume, 0, b"kept" * 1000)
    made = {
        f"{name}_{number}": cinder.create_backup(volume, f"{name}_{number}")
        for name, number in (("north", 1), ("north", 2), ("north", 3), ("posix", 1))
    }
    assert {one.status for one in made.values()} == {"available"}
    for name, one in made.items():
        if name.startswith("north"):
            say(one, EAST)
    yield cinder, made
    this_process().stop_checking()


def say(backup: Any, service: str) -> None:
    backup.service = service
    backup.save()


def services(cinder: Any, made: dict[str, Any]) -> dict[str, str]:
    return {name: cinder.backup(one.id).service for name, one in made.items()}


def test_adopt_from_an_old_name_gives_all_its_records_to_the_new_one(
    renamed: tuple[Any, dict[str, Any]], run: Run
) -> None:
    cinder, made = renamed
    before = services(cinder, made)
    dry = run("adopt", "--from", "East", "north", "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert dry.out == "Of 3 records of East, 3 can be given to backend north.\n"
    assert services(cinder, made) == before

    ended = run("adopt", "--from", "east", "north", "--yes")
    assert ended.code == 0, ended.err
    assert ended.out.endswith("3 records were changed.\n")
    assert services(cinder, made) == {
        name: f"{POSIX}@north" if name.startswith("north") else POSIX for name in made
    }
    assert cinder.backup(made["north_1"].id).metadata["backup_backend"] == "north"
    assert cinder.restore_backup(cinder.backup(made["north_1"].id)).status == "available"
    again = run("adopt", "--from", "east", "north", "--yes")
    assert (again.code, again.out) == (1, "")
    assert "there is nothing to adopt" in again.err


def test_adopt_from_leaves_what_the_backend_does_not_have(
    renamed: tuple[Any, dict[str, Any]], run: Run
) -> None:
    cinder, made = renamed
    say(made["posix_1"], EAST)
    say(made["north_2"], EAST)
    made["north_2"].status = "restoring"
    made["north_2"].save()
    ended = run("adopt", "--from", "east", "north", "--yes")
    assert ended.code == 1
    assert f"{made['posix_1'].id} is left as it is: north has nothing of it." in ended.err
    assert f"{made['north_2'].id} is left as it is: it is restoring" in ended.err
    after = services(cinder, made)
    assert (after["posix_1"], after["north_2"]) == (EAST, EAST)
    assert after["north_1"] == after["north_3"] == f"{POSIX}@north"


def test_adopt_from_tells_what_is_not_known_and_leaves_it(
    renamed: tuple[Any, dict[str, Any]], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.command import renaming

    cinder, made = renamed
    before = services(cinder, made)
    monkeypatch.setattr(renaming, "holds", lambda _driver, _backup: None)
    ended = run("adopt", "--from", "east", "north", "--yes")
    assert ended.code == 3
    assert ended.err.count("north cannot tell whether it has it; --force sets it anyway") == 3
    assert services(cinder, made) == before
    assert run("adopt", "--from", "east", "north", "--yes", "--force").code == 0
    assert services(cinder, made)["north_1"] == f"{POSIX}@north"


def test_adopt_from_a_class_path_asks_the_backend_that_has_the_records_now(
    renamed: tuple[Any, dict[str, Any]], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that name no backend are the first one's of the class: it must have nothing."""
    from backup_dispatch.command import renaming

    cinder, made = renamed
    say(made["north_1"], POSIX)
    before = services(cinder, made)
    with monkeypatch.context() as patch:
        patch.setattr(renaming.Renaming, "_asked", lambda *_given: None)
        ended = run("adopt", "--from", POSIX, "north", "--yes")
    assert ended.code == 3
    assert services(cinder, made) == before, "one that does not answer may have it"
    ended = run("adopt", "--from", POSIX, "north", "--yes")
    assert ended.code == 3
    assert f"{made['posix_1'].id} is left as it is: it may be held by posix" in ended.err
    after = services(cinder, made)
    assert (after["north_1"], after["posix_1"]) == (f"{POSIX}@north", POSIX)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--from", "east", "other"], 1, "which cannot read their data"),
        (["--from", "posix", "north"], 2, "Backend posix is enabled, so its records are its own"),
        (["--from", "nobody", "north"], 1, "No record says that it is held by nobody"),
        (["--from", "east", "nosuch"], 1, "There is no backend nosuch"),
        (["--from", "east", "north"], 2, "Confirm with --yes."),
        (["--from", "east", "one", "north"], 2, "Name either one BACKUP"),
        (["north"], 2, "Name either one BACKUP"),
        (["one", "north", "--dry-run"], 2, "belong to --from"),
    ],
)
def test_adopt_from_that_cannot_be_meant_changes_nothing(
    renamed: tuple[Any, dict[str, Any]], run: Run, arguments: list[str], code: int, told: str
) -> None:
    cinder, made = renamed
    before = services(cinder, made)
    ended = run("adopt", *arguments)
    assert (ended.code, told in ended.err) == (code, True), ended.err
    assert services(cinder, made) == before


@pytest.mark.parametrize(("answer", "changed"), [("y\n", True), ("\n", False)])
def test_adopt_from_asks_before_it_changes_records(
    renamed: tuple[Any, dict[str, Any]], run: Run, answer: str, changed: bool
) -> None:
    cinder, made = renamed
    before = services(cinder, made)
    ended = run("adopt", "--from", "east", "north", stdin=answer, terminal=True)
    assert "Give 3 records of east to backend north? [y/N] " in ended.err
    assert ended.code == (0 if changed else 1)
    assert (services(cinder, made) == before) is not changed


def test_a_record_of_a_renamed_backend_names_the_command_that_mends_it(
    renamed: tuple[Any, dict[str, Any]], run: Run
) -> None:
    cinder, made = renamed
    command = "backup-dispatch adopt --from east BACKEND"
    assert command in run("list").err
    assert command in run("show", made["north_1"].id, "-f", "json").json["known"]
    cinder.restore_backup(made["north_1"])
    assert command in str(cinder.failures[-1]), "also where Cinder cuts the text"


def test_adopt_from_goes_on_after_an_interruption_and_leaves_what_changes_meanwhile(
    renamed: tuple[Any, dict[str, Any]], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.command import renaming
    from backup_dispatch.ownership import write_down

    cinder, made = renamed

    def once(backup: Any, backend: Any) -> None:
        write_down(backup, backend)
        raise KeyboardInterrupt

    monkeypatch.setattr(renaming, "write_down", once)
    assert run("adopt", "--from", "east", "north", "--yes").code == 130

    def while_others_change(backup: Any, backend: Any) -> None:
        write_down(backup, backend)
        for one in made.values():
            if cinder.backup(one.id).service == EAST:
                say(cinder.backup(one.id), GONE)

    monkeypatch.setattr(renaming, "write_down", while_others_change)
    ended = run("adopt", "--from", "east", "north", "--yes")
    assert ended.out == (
        "Of 2 records of east, 2 can be given to backend north.\n1 records were changed.\n"
    )
    assert "is left as it is: its record has been changed meanwhile" in ended.err
    assert ended.code == 3
    north = f"{POSIX}@north"
    assert sorted(services(cinder, made).values()) == sorted((POSIX, north, north, GONE))
