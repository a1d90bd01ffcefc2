# SPDX-License-Identifier: Apache-2.0
"""Cinder's table of backups, a few columns at a time: a cloud may have very many records.

Cinder's own objects load all columns and the properties of each backup, which costs a hundred
times as much. Use them for changing a record or passing it to a driver, and these rows for
counting and listing.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy
from cinder import objects
from cinder.objects import base, fields
from sqlalchemy.orm import joinedload

PAGE = 2000
"""Rows that are read at a time."""

BATCH = 200
"""Objects that are read at a time; SQLite does not accept a condition with a thousand terms."""

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
    """

    services: Collection[str | None] | None = None
    project: str | None = None
    volume: str | None = None
    status: str | None = None
    before: datetime | None = None
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
    table = _table()
    query = (
        sqlalchemy.select(*(getattr(table, name) for name in Row._fields))
        .where(table.deleted == sqlalchemy.false(), *_conditions(table, wanted))
        .order_by(table.id)
        .limit(PAGE)
    )
    page = [Row(*values) for values in _execute(context, query)]
    while page:
        yield from page
        if len(page) < PAGE:
            return
        page = [Row(*values) for values in _execute(context, query.where(table.id > page[-1].id))]


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
