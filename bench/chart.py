# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.chart RESULTS FOLDER``: the figures as bars, in a PNG and an SVG.

It runs in an environment of its own, which has matplotlib and nothing of Cinder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

TITLES = {
    "full": "full",
    "unchanged": "unchanged incremental",
    "changed": "2 % changed incremental",
    "restore": "restore of the chain",
}
NOTE_WIDTH = 165
DATERA = "datera"
OWN, SLOWED, OTHERS = "#0b6e4f", "#7fb8a2", "#a9b4c2"


def main(arguments: Sequence[str]) -> None:
    """Draw what ``RESULTS`` holds as ``benchmark.png`` and ``benchmark.svg`` into ``FOLDER``."""
    found = json.loads(Path(arguments[0]).read_text())
    draw(found, Path(arguments[1]))


def draw(found: dict[str, Any], folder: Path) -> None:
    """Draw one panel per step: a bar for each row, the seconds of the median run."""
    import matplotlib as mpl

    mpl.use("Agg")
    # The same figures give the same file.
    mpl.rcParams.update({"svg.hashsalt": "benchmark", "font.size": 9})
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 2, figsize=(9, 5.2), layout="constrained")
    rows = rows_of(found)
    peers = list(rows)[::-1]
    for panel, (step, title) in zip(panels.flat, TITLES.items(), strict=True):
        seconds = [middle(rows[p], step) for p in peers]
        colours = [colour_of(p) for p in peers]
        bars = panel.barh(peers, [s or 0.0 for s in seconds], color=colours)
        panel.bar_label(bars, [" -" if s is None else f" {s:.2f} s" for s in seconds])
        panel.set_title(title, loc="left", fontweight="bold")
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.set_xticks([])
        panel.margins(x=0.18)
    gib = found["image"]["bytes"] / 2**30
    figure.suptitle(f"Seconds for a volume of {gib:g} GiB (shorter is better)")
    notes = [fill(f"{peer}: {note}", NOTE_WIDTH) for peer, note in found["notes"].items()]
    if slow := [row for row in rows if colour_of(row) == SLOWED]:
        notes.insert(0, f"{slow[0]}: with storage that takes so long for each request.")
    figure.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize=7)
    figure.savefig(folder / "benchmark.png", dpi=120, metadata={"Software": None})
    figure.savefig(folder / "benchmark.svg", metadata={"Date": None})


def rows_of(found: dict[str, Any]) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Return the figures of each row: of all peers, and after ours what latency makes of it."""
    rows = {}
    for peer, steps in found["figures"].items():
        rows[peer] = steps
        if peer == DATERA and found["latency"]["milliseconds"]:
            slow = f"{DATERA}, {found['latency']['milliseconds']:g} ms"
            rows[slow] = found["latency"]["figures"][DATERA]
    return rows


def colour_of(row: str) -> str:
    """Return the colour of a row's bars."""
    if row == DATERA:
        return OWN
    return SLOWED if row.startswith(f"{DATERA},") else OTHERS


def middle(steps: dict[str, list[dict[str, float]]], step: str) -> float | None:
    """Return the seconds of the median run, or None for a step that a peer does not have."""
    return median(run["seconds"] for run in steps[step]) if step in steps else None


if __name__ == "__main__":
    main(sys.argv[1:])
