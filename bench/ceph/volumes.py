# SPDX-License-Identifier: Apache-2.0
"""A large volume in Ceph that holds little, beside a small one, a file, and Cinder's driver."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.ceph.peer import NAME as CEPH
from bench.ceph.peer import CephPeer
from bench.measuring import image
from bench.measuring.process import run
from bench.peers import ROOT, InProcess, environment
from bench.report import DATERA, NONE, markdown, spread
from bench.suite import SEED_OF_IMAGE

FILE, SMALL, LARGE = "file", "small", "large"
MOST_TIMES, LEAST_TIMES = 1.5, 2.0
"""At most the large volume's full backup beside the others, at least that of Cinder's driver."""


@dataclass(frozen=True)
class Measurement:
    """One row of the table: a volume, who backs it up, and with which steps, in order."""

    volume: str
    driver: str
    steps: Sequence[str] = ("full", "unchanged", "restore")


MEASUREMENTS = (
    Measurement(FILE, DATERA),
    Measurement(SMALL, DATERA),
    Measurement(LARGE, DATERA),
    # The last, because it renames the volume and leaves snapshots of it.
    Measurement(LARGE, CEPH, ("full", "unchanged")),
)


def measure(
    folder: Path, ceph: CephPeer, sizes: tuple[int, int], runs: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return for each measurement its volume, its driver, and for each step one figure per run.

    :param sizes: bytes of the image, which all volumes hold, and of the large volume.
    """
    source = folder / "image"
    say(f"making an image of {sizes[0] >> 20} MiB")
    image.make(source, sizes[0], SEED_OF_IMAGE)
    figures: dict[Measurement, dict[str, list[dict[str, float]]]] = {
        one: {step: [] for step in one.steps} for one in MEASUREMENTS
    }
    for number in range(1, runs + 1):
        work = folder / "work"
        work.mkdir()
        try:
            with ceph.store(work):
                for volume, size in zip((SMALL, LARGE), sizes, strict=True):
                    _inside(work, "make", str(size), volume, source)
                for one in MEASUREMENTS:
                    say(f"run {number} of {runs}: {one.driver}, {one.volume}")
                    for step in one.steps:
                        figures[one][step].append(_step(work, one, step, source))
        finally:
            shutil.rmtree(work)
    return [
        {"volume": one.volume, "driver": one.driver, "bytes": _size(one, sizes), "steps": steps}
        for one, steps in figures.items()
    ]


def _size(one: Measurement, sizes: tuple[int, int]) -> int:
    return sizes[one.volume == LARGE]


def _step(work: Path, one: Measurement, step: str, source: Path) -> dict[str, float]:
    if one.volume != FILE:
        return _inside(work, one.driver, step, one.volume, source)
    store, subject = work / FILE, source
    store.mkdir(exist_ok=True)
    if step == "restore":
        subject = work / "restored"
        with subject.open("wb") as file:
            file.truncate(source.stat().st_size)
    figure = InProcess(one.driver, "").step(step, store, subject)
    if not image.same(source, subject):
        raise RuntimeError("the restored file is not what was backed up")
    return {"seconds": figure.seconds, "memory": figure.memory}


def _inside(work: Path, driver: str, step: str, volume: str, source: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.ceph.inside", driver, step, str(work), volume]
    path = os.pathsep.join([str(ROOT), str(work / "modules")])
    done = run([*command, str(source)], folder=work, environment=environment(PYTHONPATH=path))
    found: dict[str, float] = json.loads(done.output)
    return found


def ratios(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return how long full backups of the large volume and of others took, for each run."""
    full = {
        (row["volume"], row["driver"]): [each["seconds"] for each in row["steps"]["full"]]
        for row in found
    }
    own = full[LARGE, DATERA]

    def times(some: list[float], others: list[float]) -> dict[str, float]:
        return spread([a / b for a, b in zip(some, others, strict=True)])

    most, least = f"at most {MOST_TIMES:g}", f"at least {LEAST_TIMES:g}"
    return [
        {"of": "large beside file", "bound": most, **times(own, full[FILE, DATERA])},
        {"of": "large beside small", "bound": most, **times(own, full[SMALL, DATERA])},
        {"of": "large, ceph's beside datera's", "bound": least, **times(full[LARGE, CEPH], own)},
    ]


def table(found: Sequence[dict[str, Any]]) -> str:
    """Return it as Markdown."""
    rows = []
    for row in found:
        steps = row["steps"]
        seconds = [
            f"{median(run['seconds'] for run in steps[step]):.2f}" if step in steps else NONE
            for step in ("full", "unchanged", "restore")
        ]
        memory = max(each["memory"] for runs in steps.values() for each in runs)
        own = row["driver"] == DATERA
        size = f"{row['volume']}, {row['bytes'] / 2**30:g} GiB"
        rows.append((size, row["driver"], *seconds, f"{memory / 1e6:.0f} MB" if own else NONE))
    held = found[0]["bytes"] / 2**30
    return (
        f"Volumes that hold the same image of {held:g} GiB: a file, and two in Ceph (seconds,\n"
        "medians; Cinder's Ceph driver keeps its backups in the same cluster, and copies\n"
        "in other processes):\n\n"
        + markdown(("volume", "driver", "full", "unchanged", "restore", "memory"), rows)
        + "\n\nHow many times as long a full backup took, in the same run:\n\n"
        + markdown(
            ("full backup", "minimum", "median", "maximum", "target"),
            (
                (r["of"], *(f"{r[k]:.1f}" for k in ("min", "median", "max")), r["bound"])
                for r in ratios(found)
            ),
        )
    )
