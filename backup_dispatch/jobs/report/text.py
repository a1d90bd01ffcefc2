# SPDX-License-Identifier: Apache-2.0
"""The report as text, for mail: no line is longer than 72 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from backup_dispatch.jobs.report import words
from backup_dispatch.jobs.report.contents import Contents, Failure

WIDTH = 72

_INDENT = "    "


def text_of(report: Contents) -> str:
    """The whole text."""
    return "\n".join(_fit(line) for line in _lines(report)) + "\n"


def _fit(line: str) -> str:
    return line.rstrip() if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def _lines(report: Contents) -> Iterator[str]:
    heading = f"Backups of {report.host}"
    yield heading
    yield "=" * min(WIDTH, len(heading))
    yield words.minute(report.now)
    yield ""
    for card in report.cards:
        mark = "!" if card.tone == "bad" else " "
        yield f"{mark} {card.value:>12}  {card.label}"
    if report.not_known:
        yield from _section("Not known")
        for line in report.not_known:
            yield from _wrapped(line)
    yield from _backends(report)
    yield from _holdings(report)
    yield from _failures(report)
    yield from _unverified(report)
    yield from _due(report)
    yield from _volumes(report)
    if report.runs:
        yield from _section("Jobs on this host")
        yield from _table(("Job", "Began", "How it ended"), [run[:3] for run in report.runs])


def _section(title: str) -> Iterator[str]:
    yield ""
    yield title
    yield "-" * len(title)


def _backends(report: Contents) -> Iterator[str]:
    if not report.backends:
        return
    yield from _section("Backends")
    for one in report.backends:
        word = one.word if one.word == "up" else one.word.upper()
        yield f"{one.name:<20} {word}{' (primary)' if one.primary else ''}"
        for line in one.lines:
            yield from _wrapped(line)


def _holdings(report: Contents) -> Iterator[str]:
    yield from _section("What each backend holds")
    rows = []
    for name, held, savings in report.holdings:
        stored = f"{words.size(savings.stored)}" if savings else ""
        ratio = f"{savings.ratio:.1f} : 1" if savings and savings.ratio else ""
        known = f"{held.measured:,}" if held.measured != held.backups else "all"
        rows.append((name, f"{held.backups:,}", words.size(held.bytes), known, stored, ratio))
    columns = ("Backend", "Backups", "Of volumes", "Measured", "Stored", "Ratio")
    yield from _table(columns, rows)


def _failures(report: Contents) -> Iterator[str]:
    yield from _section(f"Failures ({report.all_failures:,})")
    if not report.failures:
        yield "None."
    by_reason: dict[str, list[Failure]] = {}
    for one in report.failures:
        by_reason.setdefault(one.reason, []).append(one)
    for reason, failures in by_reason.items():
        yield from _wrapped(reason, "")
        for one in failures:
            when, backup = f"{one.backup.created:%Y-%m-%d %H:%M}", one.backup
            volume = _plain(one.volume)
            yield f"{_INDENT}{when}  {words.short(backup.id)}  {backup.holder}: {volume}"
    left = report.all_failures - len(report.failures)
    if left:
        yield f"… and {left:,} older ones: backup-dispatch list --status error"


def _unverified(report: Contents) -> Iterator[str]:
    yield from _section("Longest without verification")
    rows = [
        (
            words.short(one.id),
            _plain(one.name)[:20],
            str(one.holder)[:14],
            "never" if one.past.last is None else words.span(report.now - one.past.last.since),
            words.span(report.now - one.created),
        )
        for one, _ in report.unverified
    ]
    yield from _table(("Backup", "Name", "Backend", "Verified", "Age"), rows)


def _due(report: Contents) -> Iterator[str]:
    if report.due is None:
        return
    yield from _section(f"Due to be pruned ({report.all_due:,})")
    rows = [
        (words.short(one.backup.id), _plain(one.backup.name)[:24], one.policy[:14],
         words.span(report.now - one.backup.created))
        for one in report.due
    ]  # fmt: skip
    yield from _table(("Backup", "Name", "Policy", "Age"), rows)
    if report.all_due > len(rows):
        yield f"… and {report.all_due - len(rows):,} more: backup-dispatch prune --dry-run"


def _volumes(report: Contents) -> Iterator[str]:
    troubled = [one for one in report.volumes if one.trouble]
    if not troubled:
        return
    yield from _section("Volumes in trouble")
    for one in troubled:
        last = "no good backup"
        if one.newest is not None:
            last = f"last good one {words.span(report.now - one.newest)} ago"
        yield from _wrapped(f"{_plain(one.name)}: {one.trouble}; {last}", "")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    found = [tuple(row) for row in rows]
    if not found:
        yield "None."
        return
    widths = [max(map(len, cells)) for cells in zip(columns, *found, strict=True)]
    for row in (tuple(columns), *found):
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))


def _wrapped(text: str, indent: str = _INDENT) -> list[str]:
    return textwrap.wrap(
        _plain(text), WIDTH, initial_indent=indent, subsequent_indent=indent or _INDENT
    )


def _plain(text: str) -> str:
    """Without signs that would move a terminal's cursor, or begin a line of their own."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
