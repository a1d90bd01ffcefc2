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
OWN, OTHERS = "#0b6e4f", "#a9b4c2"


def main(arguments: Sequence[str]) -> None:
    """Draw what ``RESULTS`` holds as ``benchmark.png`` and ``benchmark.svg`` into ``FOLDER``."""
    found = json.loads(Path(arguments[0]).read_text())
    draw(found, Path(arguments[1]))


def draw(found: dict[str, Any], folder: Path) -> None:
    """Draw one panel for each step: whoever is measured, and the seconds of the middle run."""
    import matplotlib as mpl

    mpl.use("Agg")
    # The same figures give the same file.
    mpl.rcParams.update({"svg.hashsalt": "benchmark", "font.size": 9})
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, 2, figsize=(9, 5.2), layout="constrained")
    peers = list(found["figures"])[::-1]
    for panel, (step, title) in zip(panels.flat, TITLES.items(), strict=True):
        seconds = [middle(found["figures"][p], step) for p in peers]
        colours = [OWN if p == "datera" else OTHERS for p in peers]
        bars = panel.barh(peers, [s or 0.0 for s in seconds], color=colours)
        panel.bar_label(bars, [" -" if s is None else f" {s:.2f} s" for s in seconds])
        panel.set_title(title, loc="left", fontweight="bold")
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.set_xticks([])
        panel.margins(x=0.18)
    gib = found["image"]["bytes"] / 2**30
    figure.suptitle(f"Seconds for a volume of {gib:g} GiB (shorter is better)")
    notes = [fill(f"{peer}: {note}", NOTE_WIDTH) for peer, note in found["notes"].items()]
    figure.supxlabel("\n".join(notes), x=0.01, ha="left", fontsize=7)
    figure.savefig(folder / "benchmark.png", dpi=120, metadata={"Software": None})
    figure.savefig(folder / "benchmark.svg", metadata={"Date": None})


def middle(steps: dict[str, list[dict[str, float]]], step: str) -> float | None:
    """Return the seconds of the middle run, or None of a step that a peer does not have."""
    return median(run["seconds"] for run in steps[step]) if step in steps else None


if __name__ == "__main__":
    main(sys.argv[1:])
