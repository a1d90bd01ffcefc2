# SPDX-License-Identifier: Apache-2.0
"""What a run over many backups shows: rows, lines while it goes on, and a summary."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from backup_dispatch.command.cloud import SHORT_ID
from backup_dispatch.command.columns import Day, Lines, Minute, Size
from backup_dispatch.command.durations import in_words
from backup_dispatch.command.outcome import DONE, NO, NOT_KNOWN, worse
from backup_dispatch.command.progress import ProgressLine
from backup_dispatch.command.units import in_units
from backup_dispatch.drivers.verification import Verdict
from backup_dispatch.jobs.remembered import Past
from backup_dispatch.jobs.verification.outcome import Outcome, Position
from backup_dispatch.jobs.verification.queue import Item
from backup_dispatch.masking import masked

NOT_REACHED = "not reached"

PLANNED = ("ID", "Name", "Backend", "GB", "Verified", "Result", "Why")
PLANNED_IN_SHORT = ("ID", "Name", "Backend", "Why")

VERIFIED = (
    "ID", "Name", "Backend", "GB", "Result", "Verified", "Read", "Seconds",
    "News", "Damage", "Not known",
)  # fmt: skip
VERIFIED_IN_SHORT = ("ID", "Name", "Backend", "Result", "Verified", "Read")

NAME = VERIFIED_IN_SHORT.index("Name")
"""The column of short rows that is cut if a terminal has no room for it."""

_MOST_LINES = 10

_ID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f-]{27}\b")


def planned(item: Item, backend: str | None) -> tuple[Any, ...]:
    """The row of a backup that would be verified."""
    row, last = item.row, item.past.last
    verified_at = Minute(last.since if last else None)
    verdict = last.verdict.value if last else None
    return row.id, row.display_name, backend, row.size, verified_at, verdict, item.why


def planned_in_short(item: Item, backend: str | None) -> tuple[str, ...]:
    """The same for a terminal."""
    why = _ID.sub(r"\1", item.why)
    return item.row.id[:SHORT_ID], item.row.display_name or "", backend or "", why


def verified(outcome: Outcome) -> tuple[Any, ...]:
    """The row of a backup after a run."""
    row, found = outcome.row, outcome.found
    return (
        row.id,
        row.display_name,
        outcome.backend,
        row.size,
        _result(outcome),
        Minute(_verified_at(outcome)),
        Size(found.read),
        round(outcome.seconds, 1),
        outcome.is_news,
        Lines([masked(line) for line in found.damage]),
        Lines([masked(line) for line in found.unknown]),
    )


def verified_in_short(outcome: Outcome) -> tuple[str, ...]:
    """The same for a terminal."""
    row = outcome.row
    return (
        row.id[:SHORT_ID],
        row.display_name or "",
        outcome.backend or "",
        _result(outcome),
        Day(_verified_at(outcome)).human_readable(),
        in_units(outcome.found.read),
    )


def _result(outcome: Outcome) -> str:
    return outcome.verdict.value if outcome.verdict else NOT_REACHED


def _verified_at(outcome: Outcome) -> datetime | None:
    """What gave no verdict keeps the one that it had."""
    last = outcome.past.last
    return outcome.since or (last.since if last else None)


def code_of(outcomes: Sequence[Outcome], *, strict: bool) -> int:
    """The exit code: damage counts when it is told for the first time, unless ``strict``."""
    code = DONE
    for one in outcomes:
        if one.verdict is Verdict.DAMAGED and (one.is_news or strict):
            code = worse(code, NO)
        elif one.verdict is Verdict.UNKNOWN:
            code = worse(code, NOT_KNOWN)
    return code


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many backups have which verdict, in one line."""
    counts = Counter(one.verdict for one in outcomes)
    parts = [f"{counts[one]} {one.value}" for one in Verdict]
    if counts[None]:
        parts.append(f"{counts[None]} {NOT_REACHED}")
    read = sum(one.found.read for one in outcomes)
    seconds = sum(one.seconds for one in outcomes)
    text = f"{', '.join(parts)}. Read {in_units(read)} in {in_words(seconds)}"
    return f"{text}, {in_units(read / seconds)}/s." if seconds > 0 else f"{text}."


class Teller:
    """Tells each outcome as soon as there is one: new damage as an error, the rest if it matters.

    :param error: logs an error.
    :param say: prints a line for the operator.
    """

    def __init__(self, error: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._error = error
        self._say = say

    def __call__(self, outcome: Outcome) -> None:
        """Tell one."""
        name = _name(outcome)
        if outcome.verdict is Verdict.DAMAGED and outcome.is_news:
            damage = outcome.found.damage
            places = "one place" if len(damage) == 1 else f"{len(damage)} places"
            self._error(f"Backup {name} is damaged in {places}{_before(outcome.past)}.")
            for line in damage[:_MOST_LINES]:
                self._say(f"  {line}")
            if len(damage) > _MOST_LINES:
                self._say(f"  and {len(damage) - _MOST_LINES} more")
        elif outcome.verdict is Verdict.DAMAGED:
            self._say(f"Backup {name} is damaged, as was told before.")
        elif outcome.verdict is Verdict.UNKNOWN:
            for line in outcome.found.unknown:
                self._say(f"Not known: {line}")
        elif outcome.verdict is Verdict.SOUND and outcome.past.is_damaged:
            self._say(f"Backup {name} is sound again.")


class RunLine(ProgressLine):
    """How far a run is, and how long it will still take; overwrites itself.

    :ivar limit: seconds after which the run ends; None: when all is done.
    """

    limit: float | None = None

    _position: Position | None = None

    def show(self, position: Position) -> None:
        """Show it, if the last update was long enough ago."""
        self._position = position
        self(int(position.done), position.total)

    def _text(self, done: int, total: int, seconds: float) -> str:
        position = self._position
        if position is None or position.row is None:
            return super()._text(done, total, seconds)
        share = min(done / total, 1.0) if total else 0.0
        width = self._width // 3
        bar = ("#" * int(width * share)).ljust(width, "-")
        name = (position.row.display_name or position.row.id)[:20]
        left = self._left(share, seconds)
        return f"[{bar}] {share:4.0%} {position.number} of {position.items}: {name}{left}"

    def _left(self, share: float, seconds: float) -> str:
        left = seconds * (1 - share) / share if share > 0 and seconds > 1 else None
        ends = max(self.limit - seconds, 0.0) if self.limit is not None else None
        known = [one for one in (left, ends) if one is not None]
        return f", {in_words(min(known))} left" if known else ""


def _name(outcome: Outcome) -> str:
    where = f", backend {outcome.backend}" if outcome.backend else ""
    return f"{outcome.row.id} ({outcome.row.display_name or 'no name'}{where})"


def _before(past: Past) -> str:
    if past.last is None:
        return ""
    at = past.last.since.strftime("%Y-%m-%d %H:%M UTC")
    return f"; at {at} it was {past.last.verdict.value}"
