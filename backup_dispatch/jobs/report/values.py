# SPDX-License-Identifier: Apache-2.0
"""The report as values for JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from backup_dispatch.jobs.report.contents import Contents
from backup_dispatch.jobs.standing.model import Known


def values_of(report: Contents) -> dict[str, Any]:
    """All of it; what is shown shortened is here with its whole IDs."""
    return {
        "title": report.host,
        "at": _iso(report.now),
        "backends": [
            {"name": one.name, "state": one.word, "primary": one.primary, "lines": list(one.lines)}
            for one in report.backends
        ],
        "calendar": {
            name: {day.isoformat(): asdict(one) for day, one in sorted(days.items())}
            for name, days in report.calendars.items()
        },
        "holdings": [
            {
                "backend": one.name,
                "backups": one.held.backups,
                "volume_bytes": one.held.bytes,
                "measured": one.held.measured,
                "savings": asdict(one.savings) if one.savings else None,
            }
            for one in report.holdings
        ],
        "volumes": [
            {
                "volume": one.name,
                "type": one.kind,
                "chains": [[each.id for each in chain.members] for chain in one.chains],
                "last_good": _iso(one.newest),
                "trouble": one.trouble or None,
            }
            for one in report.volumes
        ],
        "more_volumes": report.more_volumes,
        "failures": [
            {**_backup(one.backup), "volume": one.volume, "reason": one.reason}
            for one in report.failures
        ],
        "all_failures": report.all_failures,
        "unverified": [
            {
                **_backup(one),
                "volume": volume,
                "verified": _iso(one.past.last.since) if one.past.last else None,
            }
            for one, volume in report.unverified
        ],
        "due": None
        if report.due is None
        else [
            {**_backup(one.backup), "volume": one.volume, "policy": one.policy}
            for one in report.due
        ],
        "all_due": report.all_due,
        "jobs": [{"job": one.name, "began": one.began, "how": one.how} for one in report.runs],
        "not_known": list(report.not_known),
    }


def _backup(one: Known) -> dict[str, Any]:
    return {
        "backup": one.id,
        "name": one.name or None,
        "backend": str(one.holder),
        "created": _iso(one.created),
    }


def _iso(moment: datetime | date | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
