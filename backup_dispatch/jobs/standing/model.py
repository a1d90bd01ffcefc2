# SPDX-License-Identifier: Apache-2.0
"""A snapshot of all backups, volumes and backends at one moment; times are in UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from cinder.objects import fields

from backup_dispatch.backup_rows import Volume
from backup_dispatch.jobs.remembered import Past
from backup_dispatch.jobs.runs import Run

GIB = 2**30

GOOD = frozenset({fields.BackupStatus.AVAILABLE, fields.BackupStatus.RESTORING})
"""States of backups that can be restored, as far as their records say."""

FAILED = frozenset({fields.BackupStatus.ERROR, fields.BackupStatus.ERROR_DELETING})


class Kind(Enum):
    """What a record says of its backend."""

    ENABLED = "enabled"
    FORMER = "not enabled"
    UNKNOWN = "not known yet"
    NONE = "none"


class Holder(NamedTuple):
    """The backend of a backup, as its record names it.

    :ivar name: the backend's; of one that is not enabled, its old one; else empty.
    """

    name: str
    kind: Kind

    def __str__(self) -> str:
        if self.kind is Kind.ENABLED:
            return self.name
        if self.kind is Kind.FORMER:
            return f"({self.name}, {self.kind.value})"
        return f"({self.kind.value})"


class Known(NamedTuple):
    """What is known of one backup.

    :ivar data_at: the moment that its data is of.
    :ivar reason: why it failed, if it did.
    :ivar past: what is remembered of its verifications.
    :ivar parts: what became of its volume's bytes, as far as the service has noted it.
    """

    id: str
    name: str
    holder: Holder
    project: str
    volume: str
    gib: int
    created: datetime
    data_at: datetime
    parent: str
    status: str
    reason: str
    past: Past
    parts: Mapping[str, int]

    @property
    def is_good(self) -> bool:
        """Whether it can be restored, as far as known."""
        return self.status in GOOD and not self.past.is_damaged

    @property
    def has_failed(self) -> bool:
        """Whether its making or its deletion has failed."""
        return self.status in FAILED

    @property
    def unverified_since(self) -> datetime:
        """Its last verdict, or, if it has none, when it was made."""
        return self.past.last.since if self.past.last is not None else self.created


class BackendState(NamedTuple):
    """What examining a backend has found.

    :ivar word: ``up``, ``warn``, ``unknown`` or ``down``.
    :ivar lines: what is wrong, where, and the remedy.
    """

    name: str
    driver: str
    primary: bool
    word: str
    seconds: float
    lines: Sequence[str]


STATES = ("up", "warn", "unknown", "down")


class DueBackup(NamedTuple):
    """A backup that a policy no longer keeps."""

    id: str
    policy: str


@dataclass(frozen=True)
class Standing:
    """The snapshot.

    :ivar enabled: the names of the enabled backends, the primary first.
    :ivar backups: the oldest first.
    :ivar volumes: by ID, those that exist and those that backups are of.
    :ivar backends: empty if they were not asked.
    :ivar due: what policies no longer keep; None if there are none, or that is not known.
    :ivar not_known: what could not be found out, one line each, with the reason.
    """

    now: datetime
    enabled: tuple[str, ...]
    backups: Sequence[Known]
    volumes: Mapping[str, Volume]
    backends: Sequence[BackendState] = ()
    runs: Sequence[Run] = ()
    due: Sequence[DueBackup] | None = None
    not_known: Sequence[str] = field(default_factory=tuple)
