# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch verify --all``: a run over many backups, from its options to its rows."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from oslo_utils import timeutils

from backup_dispatch import records
from backup_dispatch.backends.configured import Backend
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.cloud import Cloud
from backup_dispatch.command.columns import fitted, name_in
from backup_dispatch.command.durations import in_words
from backup_dispatch.command.outcome import NOT_KNOWN, misused, worse
from backup_dispatch.command.verification.rows import (
    NAME,
    PLANNED,
    PLANNED_IN_SHORT,
    VERIFIED,
    VERIFIED_IN_SHORT,
    RunLine,
    Teller,
    code_of,
    planned,
    planned_in_short,
    summary,
    verified,
    verified_in_short,
)
from backup_dispatch.jobs.locking import only_run_of
from backup_dispatch.jobs.verification.outcome import Limits, TimeIsUp
from backup_dispatch.jobs.verification.queue import Queue, Wanted, queued
from backup_dispatch.jobs.verification.records import Records, read_records
from backup_dispatch.jobs.verification.run import VerificationRun

JOB = "verify"

GRACE = 60.0
"""Seconds after the end of its time until a run is interrupted that does not notice by itself."""

Table = tuple[int, Sequence[str], Sequence[Sequence[Any]]]
"""An exit code, the columns, and the rows."""


@dataclass(frozen=True)
class OfAll:
    """The options of a run.

    :ivar in_short: whether the rows must fit a terminal.
    """

    backend: Backend | None
    newer_than: timedelta | None
    unverified_since: timedelta | None
    share: float | None
    time: timedelta | None
    dry_run: bool
    strict: bool
    in_short: bool

    @classmethod
    def by(cls, cloud: Cloud, parsed_args: argparse.Namespace) -> OfAll:
        """The options as they were given.

        :raises CommandEnded: there is no such backend.
        """
        backend = None
        if parsed_args.backend is not None:
            backend = cloud.enabled.named(parsed_args.backend)
            if backend is None:
                names = ", ".join(cloud.enabled.names)
                misused(f"There is no backend {parsed_args.backend}; enabled are {names}.")
        return cls(
            backend,
            parsed_args.newer_than,
            parsed_args.unverified_since,
            parsed_args.share,
            parsed_args.time,
            parsed_args.dry_run,
            parsed_args.strict,
            parsed_args.formatter == "table" and not parsed_args.columns,
        )


def verify_all(command: CloudCommand, options: OfAll) -> Table:
    """Verify what the options select, or show what would be.

    :raises JobRunning: another run is at work.
    """
    cloud = command.cloud
    if options.dry_run:
        found, queue = _queued(cloud, options)
        command.say(_size_of(queue))
        return (_tell_left_out(command, found), *_plan(cloud, queue, in_short=options.in_short))
    cloud.start_coordination()
    with only_run_of(JOB):
        # Only now: what another run has just verified is not the longest unverified any more.
        found, queue = _queued(cloud, options)
        return _run(command, options, found, queue)


def _queued(cloud: Cloud, options: OfAll) -> tuple[Records, Queue]:
    now = timeutils.utcnow()
    found = read_records(cloud, options.backend, now)
    wanted = Wanted(found.services, options.newer_than, options.unverified_since, options.share)
    return found, queued(found.known, wanted, now)


def _run(command: CloudCommand, options: OfAll, found: Records, queue: Queue) -> Table:
    seconds = options.time.total_seconds() if options.time is not None else None
    line = RunLine(command.app.stderr)
    line.limit = seconds
    with line:

        def say(text: str) -> None:
            line.clear()
            command.say(text)

        def error(text: str) -> None:
            line.clear()
            command.app.LOG.error("%s", text)

        run = VerificationRun(
            command.cloud,
            found.known,
            queue,
            tell=Teller(error, say),
            progress=line.show,
            limits=Limits(seconds),
        )
        try:
            with _interrupted_after(seconds):
                outcomes = run.run()
        except KeyboardInterrupt:
            done = f"{len(run.outcomes)} of {len(queue.items)}"
            say(f"Cancelled after {done} backups; what was found is remembered.")
            raise
    if run.too_long is not None and seconds is not None:
        say(
            f"Backup {run.too_long.id} could not be read to its end in {in_words(seconds)}: it has "
            "its next turn after all others. Give it more --time."
        )
    say(summary(outcomes))
    code = worse(code_of(outcomes, strict=options.strict), _tell_left_out(command, found))
    if options.in_short:
        rows = [verified_in_short(one) for one in outcomes]
        return code, VERIFIED_IN_SHORT, fitted(VERIFIED_IN_SHORT, rows, NAME)
    return code, VERIFIED, [verified(one) for one in outcomes]


def _plan(
    cloud: Cloud, queue: Queue, *, in_short: bool
) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    owners = [cloud.owner_by(item.row.service) for item in queue.items]
    names = [owner.name if owner else None for owner in owners]
    items = zip(queue.items, names, strict=True)
    if not in_short:
        return PLANNED, [planned(item, name) for item, name in items]
    rows = [planned_in_short(item, name) for item, name in items]
    return PLANNED_IN_SHORT, fitted(PLANNED_IN_SHORT, rows, NAME)


def _tell_left_out(command: CloudCommand, found: Records) -> int:
    """Tell which backups no run can be about; the exit code for that."""
    for service, number in sorted(found.not_enabled.items()):
        old = name_in(service)
        command.say(
            f"Not known: {number} backups of {old}, which is not enabled. "
            f"If it was renamed: {records.remedy(old)}."
        )
    return NOT_KNOWN if found.not_enabled else 0


def _size_of(queue: Queue) -> str:
    gb = sum(item.row.size or 0 for item in queue.items if item.reads)
    return f"{len(queue.items)} of {queue.selected} backups, {gb} of {queue.gb} GB of volumes."


@contextmanager
def _interrupted_after(seconds: float | None) -> Iterator[None]:
    """Interrupt a run in which nothing moves any more, so that it does not notice its end."""
    if seconds is None:
        yield
        return

    def ring(_signal: int, _frame: object) -> NoReturn:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds + GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
