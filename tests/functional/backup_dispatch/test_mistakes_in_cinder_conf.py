# SPDX-License-Identifier: Apache-2.0
"""What operators do wrong in names, options and sections, and around the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process
from tests.fixtures.mistakes import (
    DISPATCHER,
    POSIX,
    Mistake,
    Place,
    assert_one_line_each,
    only,
)


def own_module(name: str, text: str) -> Callable[[Place], None]:
    def write(place: Place) -> None:
        file = place.folder / f"{name}.py"
        file.parent.mkdir()
        file.write_text(text)
        place.patch.syspath_prepend(str(place.folder))

    return write


def record_of(service: str) -> Callable[[Place], None]:
    def write(place: Place) -> None:
        from cinder import objects

        objects.Backup(
            place.cinder.context, user_id="u", project_id="p", volume_id="v", service=service,
            status="available", host="h", display_name="old",
        ).create()  # fmt: skip

    return write


def another_host(place: Place) -> None:
    from cinder import objects
    from oslo_utils import timeutils

    objects.Service(
        place.cinder.context_for_services(), host="other", binary="cinder-backup", topic="t",
        report_count=1, updated_at=timeutils.utcnow(),
    ).create()  # fmt: skip


def cinder_conf_unreadable(place: Place) -> None:
    def refuse(_parser: Any) -> None:
        raise PermissionError(13, "Permission denied")

    place.patch.setattr("oslo_config.cfg.ConfigParser.parse", refuse)


def database_unreadable(place: Place) -> None:
    from oslo_db import exception

    def refuse(*_asked: Any, **_options: Any) -> Any:
        text = "(sqlite3.OperationalError) unable to open database file\n[SQL: SELECT all of it]"
        raise exception.DBConnectionError(Exception(text))

    place.patch.setattr("cinder.objects.ServiceList.get_all", refuse)
    # What the constructors of Cinder's drivers do first.
    place.patch.setattr("cinder.db.base.Base.__init__", refuse)


TWO_DRIVERS = """
from cinder.backup.drivers.posix import PosixBackupDriver
class One(PosixBackupDriver): pass
class Two(PosixBackupDriver): pass
"""
MISTAKES = (
    # The names of backends
    Mistake(
        "a name that is misspelt",
        only("posix, swfit"),
        ("enabled_backup_backends has 'swfit'", "there is no such backend", "[swfit]"),
        code=2,
    ),
    Mistake(
        "a module that is misspelt",
        "backup_dispatch_primary = posix\n"
        "backup_datera_secondary_backup_drivers = cinder.backup.drivers.cephh",
        ("backup_datera_secondary_backup_drivers has 'cinder.backup.drivers.cephh'", "no such mod"),
        code=2,
    ),
    Mistake(
        "a class that is misspelt",
        "backup_dispatch_primary = posix\n"
        "backup_datera_secondary_backup_drivers = cinder.backup.drivers.swift.SwiftDriver",
        ("has 'cinder.backup.drivers.swift.SwiftDriver'", "no such class", "known names are ceph"),
        code=2,
    ),
    Mistake(
        "a class that is no driver",
        "backup_dispatch_primary = posix\n"
        "backup_datera_secondary_backup_drivers = cinder.backup.manager.BackupManager",
        ("has 'cinder.backup.manager.BackupManager'", "no backup driver", "known names are"),
        code=2,
    ),
    Mistake(
        "a class that is abstract",
        "backup_dispatch_primary = posix\n"
        "backup_datera_secondary_backup_drivers = cinder.backup.chunkeddriver.ChunkedBackupDriver",
        ("ChunkedBackupDriver'", "abstract", "write a complete driver's path"),
        code=2,
    ),
    Mistake(
        "a module with several drivers",
        "backup_dispatch_primary = posix\n"
        "backup_datera_secondary_backup_drivers = shop.two_drivers",
        ("has 'shop.two_drivers'", "several backup drivers (One, Two)", "write the class path"),
        code=2,
        before=own_module("shop/two_drivers", TWO_DRIVERS),
    ),
    Mistake(
        "a module that needs a package",
        "backup_dispatch_primary = posix\nbackup_datera_secondary_backup_drivers = shop2.tape",
        ("has 'shop2.tape'", "No module named 'tape_library'", "install what it needs"),
        code=2,
        before=own_module("shop2/tape", "import tape_library"),
    ),
    Mistake(
        "the dispatcher among its backends",
        only("posix, more"),
        ("that is the dispatcher itself", "it belongs into backup_driver"),
        code=2,
        sections="[more]\nbackup_driver = backup_dispatch.driver.BackupDispatcher",
    ),
    Mistake(
        "a name twice",
        only("posix, posix"),
        ("enabled_backup_backends has 'posix'", "two backends have that name", "keep one"),
        code=2,
    ),
    Mistake(
        "names that differ in case",
        only("posix, Posix"),
        ("has 'Posix'", "differs from 'posix' only in case", "rename one"),
        code=2,
    ),
    Mistake(
        "a spare comma",
        "backup_dispatch_primary = posix\nbackup_datera_secondary_backup_drivers = swift,,s3",
        ("backup_datera_secondary_backup_drivers has ''", "take the spare comma out"),
        code=2,
    ),
    Mistake(
        "both lists",
        only("posix", "backup_datera_secondary_backup_drivers = swift"),
        ("enabled_backup_backends has", "secondary_backup_drivers is set too", "keep one of them"),
        code=2,
    ),
    Mistake(
        "a primary that is not enabled",
        only("posix", "backup_dispatch_primary = ceph"),
        ("backup_dispatch_primary has 'ceph'", "not enabled", "enabled are posix"),
        code=2,
    ),
    Mistake(
        "a name with posix in it",
        only("swift, like_posix"),
        ("has 'like_posix'", "incrementals only on the host", "rename the backend"),
        code=2,
        sections="[like_posix]\nbackup_driver = swift",
    ),
    Mistake(
        "a name that is no prefix",
        only("posix, my backups"),
        ("has 'my backups'", "cannot be the prefix", "use letters, digits"),
        code=2,
    ),
    # Options and sections
    Mistake(
        "an option of a section that is misspelt",
        only("posix, east"),
        ("[east] backup_posix_pth", "reads no such option", "the nearest is backup_posix_path"),
        code=2,
        sections="[east]\nbackup_driver = posix\nbackup_posix_pth = /x",
    ),
    Mistake(
        "a section in another case",
        only("posix, east"),
        ("[east] backup_posix_pth", "reads no such option"),
        code=2,
        sections="[East]\nbackup_driver = posix\nbackup_posix_pth = /x",
    ),
    Mistake(
        "a value out of bounds",
        only("posix", "backup_dispatch_check_timeout = 0"),
        (
            "Section [DEFAULT]: Value for option backup_dispatch_check_timeout",
            "equal to 1",
            "Corre",
        ),
        code=2,
    ),
    Mistake(
        "two that adopt",
        only("east, west"),
        ("[west] adopt", "[east] adopts the same records", "keep one"),
        code=2,
        sections=f"[east]\nbackup_driver = {POSIX}\nadopt = true\n"
        f"[west]\nbackup_driver = {POSIX}\nadopt = true",
    ),
    # The service as a whole
    Mistake(
        "a backup_driver that is not the dispatcher",
        only("posix"),
        (f"[DEFAULT] backup_driver = {POSIX}", "are not used", f"Change the line to: {DISPATCHER}"),
        runs=f"backup_driver = {POSIX}",
    ),
    Mistake(
        "a backup_driver that is misspelt",
        only("posix"),
        ("backup_dispatch.driver.BackupDispatchr cannot be loaded", "Change the line to: backup_"),
        runs="backup_driver = backup_dispatch.driver.BackupDispatchr",
    ),
    Mistake(
        "a cinder.conf that this user cannot read",
        only("posix"),
        ("configuration cannot be read", "Failed to open", "/cinder.conf", "sudo -u cinder"),
        code=2,
        after=cinder_conf_unreadable,
        logs=False,
    ),
    Mistake(
        "a database that this user cannot read",
        only(
            "posix, s3",
            "backup_s3_endpoint_url = http://127.0.0.1:1",
            "backup_s3_store_access_key = key",
            "backup_s3_store_secret_key = key",
            "backup_s3_retry_max_attempts = 0",
        ),
        ("Cinder's database cannot be used", "[database] connection", "sudo -u cinder"),
        after=database_unreadable,
        logs=False,
    ),
    Mistake(
        "another backup_driver, and nothing of the dispatcher",
        "",
        (f"[DEFAULT] backup_driver = {POSIX}", f"Change the line to: {DISPATCHER}"),
        runs=f"backup_driver = {POSIX}",
    ),
    Mistake(
        "a section that was renamed",
        only("posix"),
        ("1 backup is held by", "@old", "backup-dispatch adopt --from", "BACKEND"),
        code=0,
        after=record_of(f"{POSIX}@old"),
    ),
    Mistake(
        "locks in files on several hosts",
        only("posix"),
        ("runs on 2 hosts (", "[coordination] backend_url is a file:", "all of them share"),
        code=0,
        after=another_host,
    ),
)


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Place]:
    yield Place(tmp_path, monkeypatch, request.getfixturevalue)
    this_process().stop_checking()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.label)
def test_mistake_is_one_line_of_check_and_one_of_the_log(
    mistake: Mistake, place: Place, start_cinder: Callable[..., Any]
) -> None:
    assert_one_line_each(mistake, place, start_cinder)
