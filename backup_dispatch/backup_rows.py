# SPDX-License-Identifier: Apache-2.0
"""Cinder's table of backups, a few columns at a time: a cloud may have very many records.

Cinder's own objects load all columns and the properties of each backup, which costs a hundred
times as much. Use them for changing a record or passing it to a driver, and these rows for
counting and listing.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar

import sqlalchemy
from cinder import objects
from cinder.objects import base, fields
from oslo_db import api as oslo_db_api
from oslo_utils import timeutils
from sqlalchemy.orm import joinedload

PAGE = 2000
"""Rows that are read at a time."""

BATCH = 200
"""Objects that are read at a time; SQLite does not accept a condition with a thousand terms."""

PROGRESS = "backup_progress"
"""The property of a backup that says how far the operation is that runs; gone at its end."""

_FAILED = (fields.BackupStatus.ERROR, fields.BackupStatus.ERROR_DELETING)


class Row(NamedTuple):
    """The columns of one record in a list; ``created_at`` is in UTC."""

    id: str
    display_name: str | None
    project_id: str | None
    volume_id: str
    size: int | None
    created_at: datetime | None
    parent_id: str | None
    status: str | None
    service: str | None


R = TypeVar("R", bound=tuple[Any, ...])


class Volume(NamedTuple):
    """A volume that exists, or that a backup is of.

    :ivar kind: the name of its volume type.
    """

    id: str
    name: str | None
    kind: str | None
    deleted: bool


class Tally(NamedTuple):
    """All records with the same ``service``.

    :ivar gb: sizes of the volumes, added for each backup; not of what is stored.
    :ivar chains: full backups, each with its incrementals.
    :ivar failed: those in ``error`` or ``error_deleting``.
    """

    service: str | None
    backups: int
    gb: int
    chains: int
    failed: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True)
class Filter:
    """Which records; None matches all.

    :ivar services: any of these texts in ``service``.
    :ivar before: created before this time, in UTC.
    :ivar since: created at this time or later, in UTC.
    """

    services: Collection[str | None] | None = None
    project: str | None = None
    volume: str | None = None
    status: str | None = None
    before: datetime | None = None
    since: datetime | None = None
    id_begins: str | None = None


def tallies(context: Any) -> list[Tally]:
    """Count the records of all projects, by ``service``; the counting is done by the database."""
    table = _table()
    full = sqlalchemy.or_(table.parent_id.is_(None), table.parent_id == "")
    query = (
        sqlalchemy.select(
            table.service,
            sqlalchemy.func.count(),
            sqlalchemy.func.coalesce(sqlalchemy.func.sum(table.size), 0),
            sqlalchemy.func.sum(sqlalchemy.case((full, 1), else_=0)),
            sqlalchemy.func.sum(sqlalchemy.case((table.status.in_(_FAILED), 1), else_=0)),
            sqlalchemy.func.min(table.created_at),
            sqlalchemy.func.max(table.created_at),
        )
        .where(table.deleted == sqlalchemy.false())
        .group_by(table.service)
    )
    found = []
    for service, backups, gb, chains, failed, oldest, newest in _execute(context, query):
        # A sum is a Decimal in some databases.
        found.append(Tally(service, backups, int(gb), int(chains), int(failed), oldest, newest))
    return found


def services(context: Any) -> list[str]:
    """The distinct values of ``service`` in all existing records."""
    table = _table()
    query = sqlalchemy.select(table.service).where(table.deleted == sqlalchemy.false()).distinct()
    return [service for (service,) in _execute(context, query) if service]


def rows(context: Any, wanted: Filter) -> Iterator[Row]:
    """The records of all projects, by id.

    Each page begins after the last ID of the previous one, so that it does not matter whether that
    record still exists.
    """
    return rows_as(Row, context, wanted)


def rows_as(kind: type[R], context: Any, wanted: Filter) -> Iterator[R]:
    """Like :func:`rows`, with the columns that the fields of a named tuple are called after.

    :param kind: its first field is ``id``.
    """
    table = _table()
    names: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    query = (
        sqlalchemy.select(*(getattr(table, name) for name in names))
        .where(table.deleted == sqlalchemy.false(), *_conditions(table, wanted))
        .order_by(table.id)
        .limit(PAGE)
    )
    page = [kind(*values) for values in _execute(context, query)]
    while page:
        yield from page
        if len(page) < PAGE:
            return
        after = table.id > page[-1][0]
        page = [kind(*values) for values in _execute(context, query.where(after))]


def volumes(context: Any) -> Iterator[Volume]:
    """All existing volumes, and the deleted ones that existing backups are of, by ID.

    Those that Cinder makes for itself, such as the temporary ones of backups, are left out.
    """
    models, backups = _cinder("models"), _table()
    table, types = models.Volume, models.VolumeType
    living = sqlalchemy.select(backups.volume_id).where(backups.deleted == sqlalchemy.false())
    query = (
        sqlalchemy.select(table.id, table.display_name, types.name, table.deleted)
        .outerjoin(types, types.id == table.volume_type_id)
        .where(sqlalchemy.or_(table.deleted == sqlalchemy.false(), table.id.in_(living)))
        .where(sqlalchemy.or_(table.use_quota.is_(None), table.use_quota == sqlalchemy.true()))
        .order_by(table.id)
        .limit(PAGE)
    )
    page = [Volume(*values) for values in _execute(context, query)]
    while page:
        yield from page
        if len(page) < PAGE:
            return
        after = table.id > page[-1].id
        page = [Volume(*values) for values in _execute(context, query.where(after))]


def properties(context: Any, names: Collection[str]) -> dict[str, dict[str, str]]:
    """Those of these properties that existing records have, by the backup's ID."""
    table, backups = _cinder("models").BackupMetadata, _table()
    query = (
        sqlalchemy.select(table.backup_id, table.key, table.value)
        .join(backups, backups.id == table.backup_id)
        .where(table.key.in_(names))
        .where(table.deleted == sqlalchemy.false(), backups.deleted == sqlalchemy.false())
    )
    found: dict[str, dict[str, str]] = {}
    for backup_id, key, value in _execute(context, query):
        found.setdefault(backup_id, {})[key] = value or ""
    return found


@oslo_db_api.wrap_db_retry(max_retries=5, retry_on_deadlock=True)
def set_properties(
    context: Any, backup_id: str, values: Mapping[str, str | None], statuses: Collection[str]
) -> bool:
    """Set these properties of a backup, and no other one, at once; None removes a property.

    Cinder's own objects save all properties of a backup, and so undo what a user changed since they
    were read. The record is locked first: a deletion that begins meanwhile waits, and then
    deletes the properties too.

    :param statuses: the record must have one of these.
    :returns: False if nothing was set, because the record is in another state, or deleted.
    """
    table, now = _cinder("models").BackupMetadata, timeutils.utcnow()
    backups = _table()
    # Not SELECT … FOR UPDATE, which SQLite ignores.
    locked = (
        sqlalchemy.update(backups)
        .where(backups.id == backup_id, backups.deleted == sqlalchemy.false())
        .where(backups.status.in_(statuses))
        .values(updated_at=backups.updated_at)
        .execution_options(synchronize_session=False)
    )
    with _cinder("api").main_context_manager.writer.using(context) as session:
        if not session.execute(locked).rowcount:
            return False
        for name, value in values.items():
            existing = (
                sqlalchemy.update(table)
                .where(table.backup_id == backup_id, table.key == name)
                .where(table.deleted == sqlalchemy.false())
                .execution_options(synchronize_session=False)
            )
            if value is None:
                session.execute(existing.values(deleted=True, deleted_at=now))
            elif not session.execute(existing.values(value=value, updated_at=now)).rowcount:
                session.add(table(backup_id=backup_id, key=name, value=value))
    return True


def volume_types(context: Any, volumes: Collection[str]) -> dict[str, str | None]:
    """The IDs of these volumes' types, also of deleted volumes; without those long purged."""
    table, left = _cinder("models").Volume, list(volumes)
    found: dict[str, str | None] = {}
    for start in range(0, len(left), BATCH):
        batch = table.id.in_(left[start : start + BATCH])
        query = sqlalchemy.select(table.id, table.volume_type_id).where(batch)
        found.update((volume, kind) for volume, kind in _execute(context, query))
    return found


@oslo_db_api.wrap_db_retry(max_retries=5, retry_on_deadlock=True)
def hand_children_over(context: Any, parent: str, grandparent: str | None) -> int:
    """Make all existing children of a backup its parent's, and count them there, at once.

    :returns: how many.
    """
    table = _table()
    counter = sqlalchemy.func.coalesce(table.num_dependent_backups, 0)
    living = table.deleted == sqlalchemy.false()
    handed = sqlalchemy.update(table).where(living, table.parent_id == parent)
    with _cinder("api").main_context_manager.writer.using(context) as session:
        own = sqlalchemy.select(counter).where(table.id == parent).with_for_update()
        counted = session.execute(own).scalar_one_or_none() or 0
        moved = session.execute(_plainly(handed.values(parent_id=grandparent))).rowcount
        for backup, change in ((grandparent, counted), (parent, -counted)):
            more = sqlalchemy.update(table).where(table.id == backup)
            session.execute(_plainly(more.values(num_dependent_backups=counter + change)))
    return int(moved)


def _plainly(statement: Any) -> Any:
    """The statement, without bringing objects of the session up to date: there are none."""
    return statement.execution_options(synchronize_session=False)


def remove_property(context: Any, name: str, host: str) -> int:
    """Remove a property from all backups of a host.

    :returns: how many had it.
    """
    table, backups = _cinder("models").BackupMetadata, _table()
    of_host = sqlalchemy.select(backups.id).where(backups.host == host)
    removed = (
        sqlalchemy.update(table)
        .where(table.key == name, table.deleted == sqlalchemy.false())
        .where(table.backup_id.in_(of_host))
        .values(deleted=True, deleted_at=timeutils.utcnow())
        .execution_options(synchronize_session=False)
    )
    with _cinder("api").main_context_manager.writer.using(context) as session:
        return int(session.execute(removed).rowcount)


def objects_of(context: Any, ids: Collection[str]) -> Iterator[Any]:
    """Cinder's objects of these records, in any order; without those deleted meanwhile."""
    # In Cinder 25 and 26, BackupList.get_all accepts one value for a filter, not a list.
    table, left = _table(), list(ids)
    attributes = objects.Backup._get_expected_attrs(context)
    query = (
        sqlalchemy.select(table)
        .where(table.deleted == sqlalchemy.false())
        .options(joinedload(table.backup_metadata))
    )
    for start in range(0, len(left), BATCH):
        batch = query.where(table.id.in_(left[start : start + BATCH]))
        with _cinder("api").main_context_manager.reader.using(context) as session:
            found = session.scalars(batch).unique().all()
        yield from base.obj_make_list(
            context, objects.BackupList(context), objects.Backup, found, expected_attrs=attributes
        )


def with_property(context: Any, key: str) -> dict[str, str]:
    """The existing backups that have a property, by ID, with its value."""
    table = _cinder("models").BackupMetadata
    query = sqlalchemy.select(table.backup_id, table.value).where(
        table.deleted == sqlalchemy.false(), table.key == key
    )
    return dict(_execute(context, query))


def transaction(context: Any) -> Any:
    """All that Cinder's objects with this context write in the block, or nothing of it."""
    return _cinder("api").main_context_manager.writer.using(context)


def count_child(context: Any, parent_id: str, by: int) -> None:
    """Add to the number of incrementals that a backup's record says it has."""
    table = _table()
    count = sqlalchemy.func.coalesce(table.num_dependent_backups, 0)
    with transaction(context) as session:
        session.execute(
            sqlalchemy.update(table)
            .where(table.id == parent_id, count + by >= 0)
            .values(num_dependent_backups=count + by)
            .execution_options(synchronize_session=False)
        )


def _conditions(table: Any, wanted: Filter) -> Iterator[Any]:
    if wanted.services is not None:
        named = [one for one in wanted.services if one is not None]
        unnamed = [table.service.is_(None)] if None in wanted.services else []
        yield sqlalchemy.or_(table.service.in_(named), *unnamed)
    if wanted.project is not None:
        yield table.project_id == wanted.project
    if wanted.volume is not None:
        yield table.volume_id == wanted.volume
    if wanted.status is not None:
        yield table.status == wanted.status
    if wanted.before is not None:
        yield table.created_at < wanted.before
    if wanted.since is not None:
        yield table.created_at >= wanted.since
    if wanted.id_begins is not None:
        yield table.id.startswith(wanted.id_begins, autoescape=True)


def _execute(context: Any, query: Any) -> list[Any]:
    manager = _cinder("api").main_context_manager
    with manager.reader.using(context) as session:
        return list(session.execute(query))


def _table() -> Any:
    return _cinder("models").Backup


@cache
def _cinder(module: str) -> Any:
    """Cinder's database code: below ``cinder.db.sqlalchemy`` until 28, directly in 29."""
    below = importlib.util.find_spec("cinder.db.sqlalchemy")
    return importlib.import_module(f"cinder.db.{'sqlalchemy.' if below else ''}{module}")
