# SPDX-License-Identifier: Apache-2.0
"""Chains as a picture: a line a chain, a large dot for its full backup, a small one for each other.

Dots that would lie on one another are drawn once, the worst of them: so a picture of a year of
hourly backups is as large as one of a week of daily ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import svg
from markupsafe import Markup

from backup_dispatch.jobs.report.chain import Chain
from backup_dispatch.jobs.report.drawing import picture, title
from backup_dispatch.jobs.standing.model import Known

MOST_CHAINS = 6
"""Chains of one volume that are drawn, the newest."""

WIDTH = 340.0

_ROW = 16.0
_MARGIN = 8.0
_SLOT = 3.0
"""Width in which one dot is drawn at most."""

_MOMENT = "%Y-%m-%d %H:%M"


def drawn(
    chains: Sequence[Chain],
    since: datetime,
    until: datetime,
    colours: Mapping[str, int],
    about: str,
) -> Markup:
    """Draw the newest chains of one volume, the newest at the bottom.

    :param since: the left edge; what is older is beyond it.
    :param colours: the number of a colour by the backend's name; others are grey.
    """
    shown = list(chains)[-MOST_CHAINS:]
    span = max((until - since).total_seconds(), 1.0)

    def place(moment: datetime) -> float:
        share = (moment - since).total_seconds() / span
        return round(_MARGIN + (WIDTH - 2 * _MARGIN) * min(max(share, 0.0), 1.0), 1)

    shapes: list[svg.Element] = []
    for row, chain in enumerate(shown):
        y = _ROW * row + _ROW / 2
        number = colours.get(chain.members[-1].holder.name)
        name = "b-" if number is None else f"b{number}"
        first, last = chain.members[0], chain.members[-1]
        shapes.append(
            svg.Line(
                x1=0 if first.created < since else place(first.created), x2=place(last.created),
                y1=y, y2=y, class_=["chain", name],
            )
        )  # fmt: skip
        shapes += [_dot(one, place(one.created), y, name) for one in _apart(chain, since, place)]
    return picture(WIDTH, _ROW * max(len(shown), 1), shapes, about)


def _apart(chain: Chain, since: datetime, place: object) -> list[Known]:
    """Of the backups in each slot the one to be drawn."""
    slots: dict[int, Known] = {}
    for one in chain.members:
        if one.created < since:
            continue
        slot = int(place(one.created) // _SLOT)  # type: ignore[operator]
        before = slots.get(slot)
        if before is None or _weight(one) >= _weight(before):
            slots[slot] = one
    # What is worse is drawn above what is better.
    return sorted(slots.values(), key=_weight)


def _weight(one: Known) -> int:
    if one.past.is_damaged:
        return 3
    if one.has_failed:
        return 2
    return 1 if not one.parent else 0


def _dot(one: Known, x: float, y: float, name: str) -> svg.Element:
    kind = "full" if not one.parent else "incremental"
    state = "damaged" if one.past.is_damaged else one.status
    shown = one.name or one.id[:8]
    text = title(f"{shown}, {one.created:{_MOMENT}} UTC, {kind} on {one.holder}, {state}")
    if one.past.is_damaged:
        return svg.Rect(x=x - 4, y=y - 4, width=8, height=8, class_=["damaged"], elements=[text])
    if one.has_failed:
        return svg.Circle(cx=x, cy=y, r=3.5, class_=["failed"], elements=[text])
    radius = 2.5 if one.parent else 5
    return svg.Circle(cx=x, cy=y, r=radius, class_=["dot", name], elements=[text])
