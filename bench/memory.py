# SPDX-License-Identifier: Apache-2.0
"""Whether memory is constant, and time depends only on the amount of data."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.datera_steps import allocated
from bench.measuring import image
from bench.measuring.process import run
from bench.peers import environment
from bench.report import markdown
from bench.suite import SEED_OF_IMAGE

STEPS = ("full", "unchanged", "restore")


def measure(
    folder: Path, sizes: Sequence[int], holding: int | None, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Back up, back up again and restore an image of each size.

    :param holding: bytes of content of each image; None for all of it.
    """
    found = []
    for size in sizes:
        say(f"an image of {size / 2**30:g} GiB")
        source, target = folder / "image", folder / "restored"
        image.make(source, size, SEED_OF_IMAGE, holding=holding)
        row: dict[str, Any] = {"size": size, "allocated": allocated(source), "steps": {}}
        for step in STEPS:
            subject = source
            if step == "restore":
                with target.open("wb") as file:
                    file.truncate(size)
                subject = target
            row["steps"][step] = _step(folder, step, subject)
        found.append(row)
        for path in (source, target, folder / "device"):
            path.unlink()
    return found


def _step(folder: Path, step: str, subject: Path) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "bench.inside",
        "datera",
        step,
        str(folder),
        str(subject),
        "0",
    ]
    told = json.loads(run(command, folder=folder, environment=environment()).output)
    return {"seconds": told["seconds"], "memory": told["memory"]}


def table(found: Sequence[dict[str, Any]]) -> str:
    """Return it as Markdown."""
    rows = []
    for row in found:
        steps = row["steps"]
        seconds = (f"{steps[step]['seconds']:.1f} s" for step in STEPS)
        most = max(step["memory"] for step in steps.values())
        sizes = (f"{row['size'] / 2**30:g} GiB", f"{row['allocated'] / 2**30:.1f} GiB")
        rows.append((*sizes, *seconds, f"{most / 1e6:.0f} MB"))
    return markdown(("volume", "bytes that are there", *STEPS, "memory added"), rows)
