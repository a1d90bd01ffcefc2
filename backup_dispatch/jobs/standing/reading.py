# SPDX-License-Identifier: Apache-2.0
"""Reading the snapshot: Cinder's tables in pages, and the backends side by side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from functools import partial
from typing import Any, NamedTuple

from backup_dispatch import backup_rows, records
from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.backup_rows import Filter
from backup_dispatch.counting import figures
from backup_dispatch.errors import OwnerUnresolved
from backup_dispatch.examination.backends import examine
from backup_dispatch.examination.finding import State
from backup_dispatch.examination.side_by_side import Examined, examined
from backup_dispatch.jobs import remembered
from backup_dispatch.jobs.runs import Runs
from backup_dispatch.jobs.standing.due import due
from backup_dispatch.jobs.standing.model import (
    BackendState,
    Holder,
    Kind,
    Known,
    Standing,
)

_WORDS = {
    State.UP: "up",
    State.WARN: "warn",
    State.UNKNOWN: "unknown",
    State.UNWRITABLE: "down",
    State.DOWN: "down",
}
"""A backend that cannot write a backup is down, whatever else still works."""

_WANTED = (*remembered.PROPERTIES, figures.PROPERTY)


class _Row(NamedTuple):
    id: str
    display_name: str | None
    project_id: str | None
    volume_id: str
    size: int | None
    created_at: datetime | None
    data_timestamp: datetime | None
    parent_id: str | None
    status: str | None
    service: str | None
    fail_reason: str | None


def utc_now() -> datetime:
    """The time in UTC, without a time zone, as Cinder's tables have it."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


class Holders:
    """Which backend a record's ``service`` names."""

    def __init__(self, enabled: Backends) -> None:
        self._enabled = enabled
        self._known: dict[str | None, Holder] = {}

    def of(self, service: str | None) -> Holder:
        """The holder; each text is looked up once."""
        if service not in self._known:
            self._known[service] = self._found(service)
        return self._known[service]

    def _found(self, service: str | None) -> Holder:
        if not service:
            # The dispatcher takes the driver out of a record whose backup it refused.
            return Holder("", Kind.NONE)
        if records.is_unresolved(service):
            return Holder("", Kind.UNKNOWN)
        try:
            owner = records.recorded_owner("", service, self._enabled)
        except OwnerUnresolved:
            names = records.former_names((service,), self._enabled)
            return Holder(next(iter(names), service), Kind.FORMER)
        return Holder(owner.name, Kind.ENABLED)


def read(
    context: Any,
    enabled: Backends,
    *,
    conf: Any = None,
    now: datetime | None = None,
    runs: Runs | None = None,
    deadline: float | None = None,
) -> Standing:
    """Read the snapshot; nothing is changed.

    :param context: an administrator's.
    :param conf: whose policies say what is due to be pruned; None: nobody is asked.
    :param now: in UTC, without a time zone; the present if None.
    :param deadline: seconds for each backend to be examined; None: none is asked.
    """
    moment = now or utc_now()
    volumes = {one.id: one for one in backup_rows.volumes(context)}
    properties = backup_rows.properties(context, _WANTED)
    holders = Holders(enabled)
    backups = [
        _known(row, holders, properties.get(row.id, {}), moment)
        for row in backup_rows.rows_as(_Row, context, Filter())
    ]
    backups.sort(key=lambda one: (one.created, one.id))
    prunable, unknown = due(context, enabled, conf, moment) if conf is not None else (None, "")
    return Standing(
        moment,
        enabled.names,
        backups,
        volumes,
        backends_of(enabled, deadline) if deadline is not None else (),
        tuple(runs.all()) if runs is not None else (),
        prunable,
        (unknown,) if unknown else (),
    )


def _known(row: _Row, holders: Holders, properties: Mapping[str, str], now: datetime) -> Known:
    created = row.created_at or datetime.min
    return Known(
        row.id,
        row.display_name or "",
        holders.of(row.service),
        row.project_id or "",
        row.volume_id,
        row.size or 0,
        created,
        row.data_timestamp or created,
        row.parent_id or "",
        row.status or "",
        row.fail_reason or "",
        remembered.past_in(properties, now) if properties else remembered.NEVER,
        figures.read_back(properties.get(figures.PROPERTY, "")),
    )


def backends_of(enabled: Backends, deadline: float) -> tuple[BackendState, ...]:
    """What the backends answer, all at once; the one that does not within the deadline is down."""
    looks = {one.name: partial(examine, one) for one in enabled.enabled}
    found = examined(looks, deadline)
    return tuple(_state(one, enabled, found[one.name]) for one in enabled.enabled)


def _state(backend: Backend, enabled: Backends, found: Examined) -> BackendState:
    return BackendState(
        backend.name,
        backend.class_path.rpartition(".")[2],
        backend is enabled.primary,
        _WORDS[found.state],
        found.seconds,
        tuple(found.lines),
    )
