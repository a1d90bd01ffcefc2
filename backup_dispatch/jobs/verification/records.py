# SPDX-License-Identifier: Apache-2.0
"""The records of a run: what there is to verify, and what is remembered of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from backup_dispatch import backup_rows, records
from backup_dispatch.backends.configured import Backend
from backup_dispatch.backup_rows import Filter
from backup_dispatch.drivers.verification import stores_layers
from backup_dispatch.jobs.remembered import STATUSES, pasts
from backup_dispatch.jobs.verification.queue import Known
from backup_dispatch.jobs.verification.single import Cloud


@dataclass(frozen=True)
class Records:
    """All records, and which of them a run can be about.

    :ivar services: the texts in ``service`` of records to verify.
    :ivar not_enabled: how many finished backups are of backends that are not enabled, by the text
        in ``service``.
    """

    known: Known
    services: frozenset[str | None]
    not_enabled: Counter[str]


def read_records(cloud: Cloud, backend: Backend | None, now: datetime) -> Records:
    """Read them.

    :param backend: only its own backups are to be verified; None: those of all, and those of which
        it is not known yet who has them.
    """
    rows = {row.id: row for row in backup_rows.rows(cloud.context, Filter())}
    services: set[str | None] = set()
    not_enabled: Counter[str] = Counter()
    for row in rows.values():
        if not row.service or row.status not in STATUSES:
            continue  # refused: no backend has anything of it
        owner = cloud.owner_by(row.service)
        if backend is not None:
            if owner == backend:
                services.add(row.service)
        elif owner is not None or records.is_unresolved(row.service):
            services.add(row.service)
        else:
            not_enabled[row.service] += 1

    def is_layered(service: str | None) -> bool:
        owner = cloud.owner_by(service)
        return owner is not None and stores_layers(owner.driver_class)

    return Records(
        Known(rows, pasts(cloud.context, now), is_layered), frozenset(services), not_enabled
    )
