# SPDX-License-Identifier: Apache-2.0
"""The output: one line per step, a progress bar while bytes move, and a closing table."""

import contextlib
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.filesize import decimal as amount
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table

MEGA = 10**6
INDENT = "   "
NARROWEST = 40


@dataclass
class Row:
    """A step of the closing table. ``moved`` counts bytes of the volume, 0 where none move."""

    step: str
    backend: str = ""
    moved: int = 0
    seconds: float = 0.0
    verdict: str = "ok"


class Report:
    """Reports the progress on a terminal or to a file.

    :param console: the destination; standard output by default.
    """

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=False)
        self.rows: list[Row] = []
        self._clock = clock
        self._began = clock()

    @property
    def seconds(self) -> float:
        """Seconds since the report began."""
        return self._clock() - self._began

    def chapter(self, number: int, title: str) -> None:
        """Begin one part of the demo."""
        self.console.print()
        self.console.print(f"[bold]{number}. {escape(title)}[/]")

    def command(self, text: str) -> None:
        """Show the command that is run for the user."""
        # A long one is wrapped so that it can still be pasted.
        *begun, last = self._wrapped(f"$ {text}", room_for=" \\")
        self._indented([*(f"{line} \\" for line in begun), last], "cyan")

    def note(self, text: str) -> None:
        """Print a remark about the line above."""
        self._indented(self._wrapped(text), "dim" if self.console.is_terminal else "")

    @contextlib.contextmanager
    def step(self, title: str, *, backend: str = "", total: int | None = None) -> Iterator["Step"]:
        """Time a step. It has a bar while it runs on a terminal, and a line and a row at its end.

        :param total: how many bytes will move, or None if they are not counted.
        """
        step = Step(Row(title, backend), total)
        began = self._clock()
        with self._bar(step):
            try:
                yield step
            except BaseException:
                step.row.verdict = "FAILED"
                raise
            finally:
                step.row.seconds = self._clock() - began
                self.rows.append(step.row)
        self._line(step.row, step.remark)

    def table(self) -> None:
        """Print the closing table."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("step", overflow="fold")
        table.add_column("backend")
        for name in ("bytes", "seconds", "MB/s"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("verdict")
        for row in self.rows:
            style = "red" if row.verdict == "FAILED" else "green"
            table.add_row(
                escape(row.step),
                row.backend,
                amount(row.moved) if row.moved else "",
                f"{row.seconds:.1f}",
                f"{row.moved / row.seconds / MEGA:.0f}" if row.moved and row.seconds else "",
                f"[{style}]{escape(row.verdict)}[/]",
            )
        self.console.print()
        self.console.print(table)

    def closing(self, text: str, *, good: bool) -> None:
        """Print how it ended."""
        self.console.print()
        self.console.print(f"[bold {'green' if good else 'red'}]{escape(text)}[/]", soft_wrap=True)

    def plain(self, text: str) -> None:
        """Print a text as it is."""
        self.console.print(escape(text), soft_wrap=True)

    def _line(self, row: Row, remark: str) -> None:
        parts = [f"{row.seconds:.1f} s"]
        if row.moved and row.seconds:
            speed = row.moved / row.seconds / MEGA
            parts = [amount(row.moved), *parts, f"{speed:.0f} MB/s"]
        if remark:
            parts.append(remark)
        self._indented(self._wrapped(f"{row.step}: {', '.join(parts)}"), "")

    def _wrapped(self, text: str, *, room_for: str = "") -> list[str]:
        """Return a text as indented lines that fit, with space for a suffix."""
        return textwrap.wrap(
            text,
            max(self.console.width - len(INDENT) - len(room_for), NARROWEST),
            subsequent_indent=2 * INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _indented(self, lines: Iterable[str], style: str) -> None:
        for line in lines:
            words = escape(line)
            shown = f"[{style}]{words}[/]" if style else words
            self.console.print(f"{INDENT}{shown}", soft_wrap=True)

    @contextlib.contextmanager
    def _bar(self, step: "Step") -> Iterator[None]:
        if not self.console.is_terminal:
            yield
            return
        columns = [SpinnerColumn(), TextColumn(" {task.description}"), TimeElapsedColumn()]
        if step.total:
            columns = [
                *columns[:2],
                BarColumn(24, complete_style="cyan", finished_style="cyan"),
                DownloadColumn(),
                TransferSpeedColumn(),
            ]
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(escape(step.row.step), total=step.total)
            step.shown = lambda moved: progress.update(task, completed=moved)
            yield


@dataclass
class Step:
    """A step in progress."""

    row: Row
    total: int | None
    remark: str = ""
    shown: Callable[[int], None] = lambda moved: None

    def progress(self, moved: int) -> None:
        """Move the bar: so many bytes so far."""
        self.shown(min(moved, self.total) if self.total else moved)
