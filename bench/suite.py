# SPDX-License-Identifier: Apache-2.0
"""All peers on the same bytes, one after the other, as often as asked."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import image, primitives
from bench.datera_steps import allocated
from bench.peers import Peer, environment
from bench.process import run

SEED_OF_IMAGE, SEED_OF_CHANGES = 7, 9
CHANGED_SHARE = 0.02


@dataclass
class Results:
    """What was found.

    :param figures: for each peer and step that it has, one entry a run: seconds, those of the
        cores, bytes of memory added, bytes that its store grew by.
    :param primitives: one entry a run, see :func:`bench.primitives.measure`.
    """

    size: int
    changed_bytes: int
    figures: dict[str, dict[str, list[dict[str, float]]]] = field(default_factory=dict)
    primitives: list[dict[str, Any]] = field(default_factory=list)


def measure(
    folder: Path, peers: Sequence[Peer], size: int, runs: int, say: Callable[[str], None]
) -> Iterator[Results]:
    """Measure, and yield after each run what was found so far.

    Everything lies below ``folder`` and is removed as soon as it can be.
    """
    say(f"making an image of {size >> 20} MiB")
    first, second = folder / "image", folder / "image-changed"
    image.make(first, size, SEED_OF_IMAGE)
    changed = image.change(first, second, CHANGED_SHARE, SEED_OF_CHANGES)
    results = Results(size, changed)
    for number in range(1, runs + 1):
        # What the machine is like at the moment touches all that are measured in one run.
        results.primitives.append(_primitives(folder, first))
        for peer in peers:
            say(f"run {number} of {runs}: {peer.name}")
            found = _one_peer(peer, folder, first, second)
            for step, figure in found.items():
                results.figures.setdefault(peer.name, {}).setdefault(step, []).append(figure)
        yield results


def _primitives(folder: Path, source: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.inside", "primitives", "-", str(folder), str(source)]
    found: dict[str, Any] = json.loads(
        run(command, folder=folder, environment=environment()).output
    )
    found["floor"] = primitives.floor(found)
    return found


def _one_peer(peer: Peer, folder: Path, first: Path, second: Path) -> dict[str, dict[str, float]]:
    work, target = folder / "work", folder / "restored"
    work.mkdir()
    found: dict[str, dict[str, float]] = {}
    try:
        with peer.store(work):
            last = first
            for step in peer.steps:
                source = {"changed": second, "restore": target}.get(step, first)
                if step == "restore":
                    with target.open("wb") as file:
                        file.truncate(first.stat().st_size)
                else:
                    last = source
                before = allocated(work)
                figure = peer.step(step, work, source)
                found[step] = {**asdict(figure), "stored": allocated(work) - before}
        if not image.same(target, last):
            raise RuntimeError(f"{peer.name} did not restore what it was given")
    finally:
        shutil.rmtree(work)
        target.unlink(missing_ok=True)
    return found
