# SPDX-License-Identifier: Apache-2.0
"""Reading one backup of a run, and the verdict on it by what the run found before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cinder import exception, objects

from backup_dispatch.drivers.verification import Verified, stores_layers, verified_alone
from backup_dispatch.errors import BackendDown, BackendFailed, DispatchError, reason_of
from backup_dispatch.jobs.remembered import Past
from backup_dispatch.jobs.verification.queue import Item, Known
from backup_dispatch.jobs.verification.single import (
    Cloud,
    Unreachable,
    question_of,
    reached,
    unknown,
    verify_whole,
)

Told = Callable[[int, int], None]

VAIN = 3
"""Backups without a verdict, one after the other, after which a backend is left alone."""


@dataclass(frozen=True)
class Looked:
    """What was found of one backup.

    :ivar since: all that a restore reads was read at this time or later, if it is sound.
    :ivar read: when its own data was last read to its end.
    """

    backend: str | None
    found: Verified
    since: datetime | None = None
    read: datetime | None = None
    was_tried: bool = True


class Reading:
    """Reads the backups of a run.

    :param past_of: what is remembered of a backup, with what the run itself found.
    """

    def __init__(self, cloud: Cloud, known: Known, past_of: Callable[[str], Past]) -> None:
        self._cloud = cloud
        self._known = known
        self._past_of = past_of
        self._in_vain: Counter[str] = Counter()
        self._left_alone: dict[str, str] = {}
        self.damaged: set[str] = set()
        """Backups whose own data this run found damaged."""

    def look(self, item: Item, began: datetime, told: Told) -> Looked:
        """Read one backup.

        :param began: now.
        :param told: called with the bytes done and those in all; what it raises ends the reading.
        """
        service = item.row.service or ""
        question = question_of(item.row)
        if service in self._left_alone:
            reason = f"{question}: {self._left_alone[service]}"
            return Looked(None, unknown(reason), was_tried=False)
        try:
            backup = objects.Backup.get_by_id(self._cloud.context, item.row.id)
            looked = self._look(item, backup, began, told)
        except exception.BackupNotFound:
            return Looked(None, unknown(f"{question}: it was deleted meanwhile"), was_tried=False)
        except Unreachable as unreachable:
            looked = self._unreachable(service, unreachable)
        self._count(service, looked)
        return looked

    def _look(self, item: Item, backup: Any, began: datetime, told: Told) -> Looked:
        owner, driver = reached(self._cloud, backup)
        if item.layered and stores_layers(driver):
            return replace(self._layer(item, driver, backup, began, told), backend=owner.name)
        found = verify_whole(self._cloud, driver, backup, told)
        return Looked(owner.name, found, began, began)

    def _layer(self, item: Item, driver: Any, backup: Any, began: datetime, told: Told) -> Looked:
        """Look at a backup whose ancestors were verified before it."""
        below = self._known.layers_below(item.row) or []
        past = self._past_of(item.row.id)
        read = past.last.read if past.last else None
        if item.reads or read is None:
            chain = [backup]
            if below:
                chain.append(objects.Backup.get_by_id(self._cloud.context, below[-1].id))
            found = verified_alone(driver, chain, told)
            if found.damage:
                self.damaged.add(backup.id)
            if found.damage or not found.unknown:
                read = began
        else:
            found = Verified("what was read before")
        found.damage += self.inherited(item.row.id)
        times = [read or began]
        for one in below:
            last = self._past_of(one.id).last
            if last is not None and last.read is not None and self._past_of(one.id).is_sound:
                times.append(last.read)
            elif not found.damage:
                why = f"backup {one.id}, which it builds on, could not be verified"
                found.unknown.append(f"{question_of(backup)}: {why}")
        return Looked(None, found, min(times), read)

    def inherited(self, backup_id: str) -> list[str]:
        """The damage of what a backup builds on, as far as this run has found it."""
        below = self._known.layers_below(self._known.rows[backup_id]) or ()
        damaged = (one.id for one in below if one.id in self.damaged)
        return [f"backup {one}, on which backup {backup_id} builds, is damaged" for one in damaged]

    # Backends that give no verdicts

    def _unreachable(self, service: str, unreachable: Unreachable) -> Looked:
        name = unreachable.owner.name if unreachable.owner else None
        error = unreachable.__cause__
        down = isinstance(error, (BackendDown, BackendFailed))
        if down and unreachable.owner is not None:
            # Asking again might take as long, for each of its backups.
            self._left_alone[service] = _text_of(error)
        return Looked(name, unreachable.found, was_tried=not down)

    def _count(self, service: str, looked: Looked) -> None:
        if looked.found.damage or not looked.found.unknown:
            self._in_vain[service] = 0
            return
        self._in_vain[service] += 1
        if self._in_vain[service] >= VAIN:
            where = f"backend {looked.backend}" if looked.backend else "records without a backend"
            why = f"of {where} {VAIN} backups in a row gave no verdict, the rest was left alone"
            self._left_alone.setdefault(service, why)


def _text_of(error: BaseException | None) -> str:
    if isinstance(error, DispatchError):
        return error.full_text
    return reason_of(error) if error is not None else "it cannot be reached"
