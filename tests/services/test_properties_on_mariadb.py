# SPDX-License-Identifier: Apache-2.0
"""Properties that a job sets beside their owner's changes and deletions, on a real database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.services.stack.servers.daemons import Daemons
from tests.services.stack.servers.mariadb import MariaDb

BACKUPS = 40
ROUNDS = 10


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Any]:
    """An administrator's context, on an empty database with Cinder's tables of backups."""
    servers = Daemons(tmp_path / "log")
    database = MariaDb(tmp_path / "mariadb", servers)
    try:
        database.launch()
        database.await_ready()
        yield from _connected(database.url("cinder"))
    finally:
        servers.stop(hurried=lambda: True)


def _connected(url: str) -> Iterator[Any]:
    from cinder import context, objects
    from cinder.db import api, models
    from oslo_config import cfg
    from oslo_db.sqlalchemy import enginefacade

    objects.register_all()
    cfg.CONF([], project="cinder", default_config_files=[])
    manager = enginefacade.transaction_context()
    manager.configure(connection=url, max_pool_size=20)
    undo = api.main_context_manager.patch_factory(manager)
    engine = manager.writer.get_engine()
    tables = [models.Backup.__table__, models.BackupMetadata.__table__]
    models.BASE.metadata.create_all(engine, tables=tables)
    try:
        yield context.get_admin_context()
    finally:
        undo()
        engine.dispose()


def made(context: Any, number: int) -> list[str]:
    """The IDs of new records."""
    from cinder.db import api

    ids = [str(uuid4()) for _ in range(number)]
    for one in ids:
        values = {"id": one, "volume_id": one, "host": "h", "user_id": "u", "project_id": "p"}
        api.backup_create(context, {**values, "status": "available", "metadata": {}})
    return ids


def test_properties_set_beside_changes_and_deletions_touch_nothing_else(context: Any) -> None:
    from cinder import objects
    from cinder.db import api, models

    from backup_dispatch import backup_rows

    ids = made(context, BACKUPS)
    failures: list[BaseException] = []
    kept: dict[str, str] = {}
    begin = threading.Barrier(3)

    def in_turn(act: Callable[[str, int], None]) -> threading.Thread:
        def work() -> None:
            try:
                begin.wait(30)
                for number in range(ROUNDS):
                    for one in ids:
                        act(one, number)
            except BaseException as error:
                failures.append(error)

        return threading.Thread(target=work, daemon=True)

    def verify(one: str, number: int) -> None:
        values = {"backup_verified": f"sound {number}", "backup_verification_tried": None}
        backup_rows.set_properties(context.elevated(), one, values, ("available",))

    def change(one: str, number: int) -> None:
        api.backup_metadata_update(context.elevated(), one, {"mine": str(number)}, False)
        kept[one] = str(number)

    def delete(one: str, number: int) -> None:
        # A quarter of them, when the others are half through as well.
        backup = objects.Backup.get_by_id(context.elevated(read_deleted="yes"), one)
        if number == ROUNDS // 2 and one in ids[::4]:
            backup.status = "deleting"
            backup.save()
            backup.destroy()

    def change_unless_deleted(one: str, number: int) -> None:
        if one not in ids[::4]:
            change(one, number)

    threads = [in_turn(act) for act in (verify, change_unless_deleted, delete)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures, failures

    living: dict[str, dict[str, str]] = {}
    with api.main_context_manager.reader.using(context) as session:
        for row in session.query(models.BackupMetadata).filter_by(deleted=False):
            assert row.key not in living.setdefault(row.backup_id, {}), "a property is there twice"
            living[row.backup_id][row.key] = row.value
    assert set(living) == set(ids) - set(ids[::4]), "a deleted backup has no properties"
    for one, values in living.items():
        assert values == {"mine": kept[one], "backup_verified": f"sound {ROUNDS - 1}"}


def test_deletion_that_begins_while_a_property_is_set_deletes_it_too(context: Any) -> None:
    from cinder import objects
    from cinder.db import api, models
    from sqlalchemy import event

    from backup_dispatch import backup_rows

    (backup,) = made(context, 1)
    engine = api.main_context_manager.writer.get_engine()

    def delete() -> None:
        record = objects.Backup.get_by_id(context.elevated(), backup)
        record.status = "deleting"
        record.save()
        record.destroy()

    deleting = threading.Thread(target=delete, daemon=True)

    def begin_to_delete(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith("INSERT INTO backup_metadata"):
            deleting.start()
            # It ends at once, unless it has to wait for the property.
            deleting.join(2)

    event.listen(engine, "before_cursor_execute", begin_to_delete)
    try:
        values = {"backup_verified": "sound"}
        assert backup_rows.set_properties(context.elevated(), backup, values, ("available",))
    finally:
        event.remove(engine, "before_cursor_execute", begin_to_delete)
    deleting.join(60)
    assert not deleting.is_alive()
    with api.main_context_manager.reader.using(context) as session:
        assert session.query(models.BackupMetadata).filter_by(deleted=False).count() == 0
        assert session.query(models.BackupMetadata).count() == 1
