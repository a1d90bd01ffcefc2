# SPDX-License-Identifier: Apache-2.0
"""All peers on the same data, one after the other, in a number of runs."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.datera_steps import allocated
from bench.measuring import image, primitives
from bench.measuring.process import run
from bench.peers import Peer, environment

SEED_OF_IMAGE, SEED_OF_CHANGES = 7, 9
CHANGED_SHARE = 0.02

Figures = dict[str, dict[str, list[dict[str, float]]]]
"""By peer and step, one entry per run."""


@dataclass
class Results:
    """The results.

    :param figures: for each peer and step that it has, one entry per run: seconds, processor
        seconds, bytes of memory added, bytes that its store grew by.
    :param latency: milliseconds that each request waits for ``slowed``; 0 if none was measured.
    :param slowed: the same as ``figures``, with that latency, of the peers that it can be given.
    :param primitives: one entry per run, see :func:`bench.measuring.primitives.measure`.
    """

    size: int
    changed_bytes: int
    latency: float = 0.0
    figures: Figures = field(default_factory=dict)
    slowed: Figures = field(default_factory=dict)
    primitives: list[dict[str, Any]] = field(default_factory=list)


def measure(
    folder: Path,
    peers: Sequence[Peer],
    size: int,
    runs: int,
    say: Callable[[str], None],
    *,
    latency: float = 0.0,
) -> Iterator[Results]:
    """Measure, and yield the results so far after each run.

    Everything is below ``folder`` and is removed as soon as possible.

    :param latency: measure each peer a second time, if possible, with storage that waits so many
        milliseconds for each request; 0 does not.
    """
    say(f"making an image of {size >> 20} MiB")
    first, second = folder / "image", folder / "image-changed"
    image.make(first, size, SEED_OF_IMAGE)
    changed = image.change(first, second, CHANGED_SHARE, SEED_OF_CHANGES)
    results = Results(size, changed, latency)
    for number in range(1, runs + 1):
        # Other load on the machine affects all peers of a run.
        results.primitives.append(_primitives(folder, first))
        for peer in peers:
            say(f"run {number} of {runs}: {peer.name}")
            _keep(results.figures, peer.name, _one_peer(peer, folder, first, second))
            slowed = peer.slowed(latency) if latency else None
            if slowed is not None:
                say(f"run {number} of {runs}: {peer.name}, {latency:g} ms for each request")
                _keep(results.slowed, peer.name, _one_peer(slowed, folder, first, second))
        yield results


def _keep(figures: Figures, peer: str, found: dict[str, dict[str, float]]) -> None:
    for step, figure in found.items():
        figures.setdefault(peer, {}).setdefault(step, []).append(figure)


def _primitives(folder: Path, source: Path) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "bench.inside",
        "primitives",
        "-",
        str(folder),
        str(source),
        "0",
    ]
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
