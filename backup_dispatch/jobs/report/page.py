# SPDX-License-Identifier: Apache-2.0
"""The report as one page of HTML: nothing is fetched from elsewhere, and nothing runs in it."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from backup_dispatch.jobs.report import bars, calendar, chains, words
from backup_dispatch.jobs.report.contents import Contents, Holding, VolumeChains
from backup_dispatch.jobs.report.days import WEEKS

COLOURS = 6
"""Backends that have a colour of their own; the others share them again."""


def page_of(report: Contents) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        size=words.size, minute=words.minute, short=words.short, span=words.span
    )
    template = environment.get_template("page.html.j2")
    return template.render(report=report, pictures=Pictures(report), **_own_words())


def _own_words() -> dict[str, Any]:
    return {"counted": words.counted, "weeks": WEEKS}


class Pictures:
    """The pictures of a report, by what they are about."""

    def __init__(self, report: Contents) -> None:
        self._report = report
        names = list(report.calendars)
        self.colours = {name: number % COLOURS for number, name in enumerate(names)}

    def calendar(self, backend: str) -> Markup:
        """What was backed up when."""
        return calendar.drawn(self._report.calendars[backend], self._report.now.date())

    def chains(self, volume: VolumeChains) -> Markup:
        """The chains of a volume."""
        since = datetime.combine(self._report.first_day, time())
        about = f"{words.counted(len(volume.chains), 'chain')} of {volume.name}"
        return chains.drawn(volume.chains, since, self._report.now, self.colours, about)

    def bar(self, holding: Holding) -> Markup:
        """What became of a backend's bytes."""
        if holding.savings is None:
            return Markup("")
        return bars.drawn(holding.savings, f"What is stored and saved on {holding.name}")
