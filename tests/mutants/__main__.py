# SPDX-License-Identifier: Apache-2.0
"""Make a seeded sample of mistakes in what ships, and tell which of them no test finds.

``python -m tests.mutants`` goes on where an earlier run of the same sources and seed has ended.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.covering import SUITES, Covering, learn
from tests.mutants.judging import Judge, Verdict
from tests.mutants.kinds import Mutant, mutants
from tests.mutants.trees import ROOT, SHIPPED, copy, tracked

# For whoever writes a driver's tests: a test of its own.
LEFT_OUT = ("backup_dispatch/testing/",)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    seed = int(os.environ.get("SEED", "1"))
    parser.add_argument("--sample", type=int, default=300, help="how many mistakes (300)")
    parser.add_argument("--seed", type=int, default=seed, help="another sample (SEED, or 1)")
    parser.add_argument("--most", type=int, default=60, help="tests of a suite for one (60)")
    parser.add_argument("--only", default="", metavar="PATH", help="files that begin so")
    parser.add_argument("--folder", type=Path, default=ROOT / ".mutants", help="for its work")
    return parser.parse_args(argv)


def chosen(seed: int, sample: int, only: str) -> list[Mutant]:
    """Return the sample of a seed: each place has the same chance."""
    files = [path for house in SHIPPED for path in sorted((ROOT / house).rglob("*.py"))]
    names = [path.relative_to(ROOT).as_posix() for path in files]
    every = [
        mutant
        for name in names
        if name.startswith(only) and not name.startswith(LEFT_OUT)
        for mutant in mutants(name, (ROOT / name).read_bytes())
    ]
    print(f"{len(every):,} places; seed {seed}", flush=True)
    return random.Random(seed).sample(every, min(sample, len(every)))


def main(argv: Sequence[str]) -> int:
    """Judge the sample; the exit code is 1 if more than one in twenty lives."""
    wanted = arguments(argv)
    sample = chosen(wanted.seed, wanted.sample, wanted.only)
    names = tracked()
    sources = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in names)).hexdigest()
    folder: Path = wanted.folder / sources[:12]
    folder.mkdir(parents=True, exist_ok=True)
    learnt = folder / "learnt"
    if not learnt.exists():
        copy(names, learnt)
    suites = {}
    for suite in SUITES:
        data = folder / f"{suite}.coverage"
        learn(sys.executable, learnt, suite, data)
        suites[suite] = Covering(learnt, data)
    free: SimpleQueue[Judge] = SimpleQueue()
    workers = os.cpu_count() or 1
    for number in range(workers):
        tree = copy(names, folder / f"tree-{number}")
        free.put(Judge(sys.executable, tree, suites, wanted.most))
    results = Results(folder / f"results-{wanted.seed}.json")

    def judge(mutant: Mutant) -> None:
        if results.knows(mutant):
            return
        one = free.get()
        try:
            results.add(one.verdict(mutant))
        finally:
            free.put(one)

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(judge, sample))
    return results.tell(sample)


class Results:
    """What is known of each mutant, also by a run before this one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, tuple[str, int]] = {}
        if path.exists():
            self._known = {name: tuple(how) for name, how in json.loads(path.read_text()).items()}

    def knows(self, mutant: Mutant) -> bool:
        """Whether it was judged before."""
        return self._name(mutant) in self._known

    def add(self, verdict: Verdict) -> None:
        """Write one down, and tell of it if it lives."""
        self._known[self._name(verdict.mutant)] = (verdict.found_by, verdict.asked)
        self._path.write_text(json.dumps(self._known, indent=1))
        if not verdict.died:
            self._show(verdict.mutant, verdict.asked)

    def tell(self, sample: list[Mutant]) -> int:
        """Tell how many died, by which suite, and show those that live."""
        found = [self._known[self._name(mutant)] for mutant in sample]
        alive = [mutant for mutant, (by, _) in zip(sample, found, strict=True) if not by]
        print(f"\n{len(sample) - len(alive)} of {len(sample)} were found:")
        for suite in SUITES:
            print(f"  {sum(by == suite for by, _ in found):>5} by {suite} tests")
        for mutant in alive:
            self._show(mutant, self._known[self._name(mutant)][1])
        return int(len(alive) * 20 > len(sample))

    def _show(self, mutant: Mutant, asked: int) -> None:
        source = (ROOT / mutant.path).read_bytes()
        print(f"lives ({asked} tests asked): {mutant.shown(source)}", flush=True)

    def _name(self, mutant: Mutant) -> str:
        return f"{mutant.path}:{mutant.start}:{mutant.kind}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
