# SPDX-License-Identifier: Apache-2.0
"""What the report says, however it is shown: chosen from the snapshot, and without secrets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from backup_dispatch.jobs.report import words
from backup_dispatch.jobs.report.chain import Chain, chains_of
from backup_dispatch.jobs.report.days import Day, first_day
from backup_dispatch.jobs.report.savings import Savings, savings_of
from backup_dispatch.jobs.runs import Run
from backup_dispatch.jobs.standing import summary
from backup_dispatch.jobs.standing.model import BackendState, Kind, Known, Standing
from backup_dispatch.masking import masked

MOST_FAILURES = 12
MOST_UNVERIFIED = 10
MOST_DUE = 25
MOST_VOLUMES = 24
RECENT = timedelta(days=7)

_EXIT_CODES = {0: "ended well", 1: "FAILED", 2: "could not begin", 3: "something is not known"}


class Card(NamedTuple):
    """One number at the top.

    :ivar tone: ``good``, ``bad`` or empty.
    """

    value: str
    label: str
    tone: str = ""


class Failure(NamedTuple):
    """A backup that failed."""

    backup: Known
    volume: str
    reason: str


class VolumeChains(NamedTuple):
    """The chains of one volume.

    :ivar trouble: what is wrong with its newest backup, if anything.
    """

    name: str
    kind: str
    chains: Sequence[Chain]
    newest: datetime | None
    trouble: str
    deleted: bool


class Holding(NamedTuple):
    """What one backend holds of good backups."""

    name: str
    held: summary.Held
    savings: Savings | None


class Due(NamedTuple):
    """A backup that a policy no longer keeps."""

    backup: Known
    volume: str
    policy: str


class JobRun(NamedTuple):
    """The last run of a job, in words."""

    name: str
    began: str
    how: str
    tone: str


@dataclass(frozen=True)
class Contents:
    """The report.

    :ivar calendars: the days of each backend, by its name.
    :ivar more_volumes: how many volumes with backups are not among ``volumes``.
    """

    host: str
    now: datetime
    first_day: date
    cards: Sequence[Card]
    backends: Sequence[BackendState]
    calendars: dict[str, dict[date, Day]]
    volumes: Sequence[VolumeChains]
    more_volumes: int
    holdings: Sequence[Holding]
    failures: Sequence[Failure]
    all_failures: int
    unverified: Sequence[tuple[Known, str]]
    verification: dict[str, summary.Verification]
    due: Sequence[Due] | None
    all_due: int
    runs: Sequence[JobRun]
    not_known: Sequence[str] = field(default_factory=tuple)


def contents_of(standing: Standing, host: str) -> Contents:
    """Choose what the report says.

    :param host: which cloud this is, in words.
    """
    failed = [one for one in reversed(standing.backups) if one.has_failed]
    volumes = _volumes(standing)
    due = _due(standing)
    return Contents(
        host,
        standing.now,
        first_day(standing.now.date()),
        _cards(standing, failed),
        [one._replace(lines=[masked(line) for line in one.lines]) for one in standing.backends],
        _calendars(standing),
        volumes[:MOST_VOLUMES],
        max(0, len(volumes) - MOST_VOLUMES),
        _holdings(standing),
        [
            Failure(one, volume_name(standing, one.volume), masked(one.reason) or "no reason given")
            for one in failed[:MOST_FAILURES]
        ],
        len(failed),
        _unverified(standing),
        {str(holder): one for holder, one in summary.verifications(standing).items()},
        None if due is None else due[:MOST_DUE],
        0 if due is None else len(due),
        [_run(run, standing.now) for run in standing.runs],
        [masked(line) for line in standing.not_known],
    )


def volume_name(standing: Standing, volume: str) -> str:
    """A volume's name and the beginning of its ID; of one that is purged, the latter alone."""
    found = standing.volumes.get(volume)
    name = (found.name or "") if found is not None else ""
    gone = " (deleted)" if found is None or found.deleted else ""
    return f"{name} {words.short(volume)}{gone}".strip()


def _cards(standing: Standing, failed: Sequence[Known]) -> list[Card]:
    good = [one for one in standing.backups if one.is_good]
    down = [one.name for one in standing.backends if one.word == "down"]
    recently = sum(standing.now - one.created < RECENT for one in failed)
    covered = summary.coverage(standing).values()
    without = sum(one.without for one in covered)
    damaged = sum(one.past.is_damaged for one in standing.backups)
    oldest = min((one.unverified_since for one in good), default=None)
    cards = [
        Card(f"{len(good):,}", "good backups"),
        Card(f"{sum(one.with_backup for one in covered):,}", "volumes with a good backup"),
        Card(f"{without:,}", "volumes without one", "bad" if without else "good"),
        Card(f"{recently:,}", "failures in 7 days", "bad" if recently else "good"),
        Card(f"{damaged:,}", "found damaged", "bad" if damaged else "good"),
        Card(
            "none" if oldest is None else words.span(standing.now - oldest),
            "longest without verification",
        ),
    ]
    if standing.backends:
        up = f"{len(standing.backends) - len(down)} of {len(standing.backends)}"
        cards.insert(0, Card(up, "backends usable", "bad" if down else "good"))
    return cards


def _calendars(standing: Standing) -> dict[str, dict[date, Day]]:
    found: dict[str, dict[date, Day]] = {name: {} for name in standing.enabled}
    start = first_day(standing.now.date())
    for one in standing.backups:
        day = one.created.date()
        if day < start or one.holder.kind is Kind.UNKNOWN:
            continue
        counted = found.setdefault(str(one.holder), {}).setdefault(day, Day())
        if one.has_failed:
            counted.failed += 1
        elif one.is_good:
            counted.made += 1
            counted.gib += one.gib
    return found


def _volumes(standing: Standing) -> list[VolumeChains]:
    """All volumes with backups: those in trouble, then the stalest, then those that are deleted."""
    by_volume: dict[str, list[Known]] = defaultdict(list)
    for one in standing.backups:
        by_volume[one.volume].append(one)
    found = []
    for volume, backups in by_volume.items():
        good = [one for one in backups if one.is_good]
        found.append(
            VolumeChains(
                volume_name(standing, volume),
                summary.volume_type_of(standing, volume),
                chains_of(backups),
                good[-1].created if good else None,
                _trouble(backups[-1]),
                volume not in standing.volumes or standing.volumes[volume].deleted,
            )
        )
    return sorted(
        found,
        key=lambda one: (one.deleted, not one.trouble, one.newest or datetime.min, one.name),
    )


def _trouble(newest: Known) -> str:
    if newest.past.is_damaged:
        return "its newest backup is damaged"
    return "its newest backup has failed" if newest.has_failed else ""


def _holdings(standing: Standing) -> list[Holding]:
    return [
        Holding(str(holder), held, savings_of(held))
        for holder, held in summary.held(standing).items()
    ]


def _unverified(standing: Standing) -> list[tuple[Known, str]]:
    good = (one for one in standing.backups if one.is_good)
    oldest = sorted(good, key=lambda one: (one.unverified_since, one.id))[:MOST_UNVERIFIED]
    return [(one, volume_name(standing, one.volume)) for one in oldest]


def _due(standing: Standing) -> list[Due] | None:
    if standing.due is None:
        return None
    known = {one.id: one for one in standing.backups}
    return [
        Due(known[one.id], volume_name(standing, known[one.id].volume), one.policy)
        for one in standing.due
        if one.id in known
    ]


def _run(run: Run, now: datetime) -> JobRun:
    began = f"{words.span(now - run.began)} ago"
    if run.ended is None:
        return JobRun(run.job, began, "not ended: it runs, or was killed", "")
    long = words.span(run.ended - run.began)
    how = _EXIT_CODES.get(run.code or 0, f"exit code {run.code}")
    return JobRun(run.job, began, f"{how}, after {long}", "" if run.code == 0 else "bad")
