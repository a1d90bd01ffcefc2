# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of all that reads containers: ``python -m tests.fuzzing.containers --count 1000``.

Each case makes a forgery from the golden containers and opens it, reads all chunks of all backups,
restores and verifies them, scans the devices and salvages. Only errors of the container's and the
engine's families may come out, memory added is at most 128 MiB, and no case takes longer than a few
seconds. A case that fails is printed as JSON, which ``tests/fuzzing/corpus.json`` keeps.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from backup_dispatch.command.rescue_map import lines
from datera_backup.container import BackupReader, Container, ContainerError
from datera_backup.container.scanning import Scan, scan
from datera_backup.engine import Damage, EngineError, EngineSettings, RestoreJob, VerifyJob
from datera_backup.engine.pipeline.job import Job
from datera_backup.engine.recovery import recover
from datera_backup.engine.sink import NullSink
from tests.fuzzing.forging import BASES, BOMBS, Edit, Forger, Overlay, bomb, parts

CORPUS = Path(__file__).parent / "corpus.json"
MIB = 1 << 20
MOST_MEMORY = 128 * MIB
SECONDS = 10.0
"""CPU time that a case may take."""

HANGS_AFTER = 120.0
"""Seconds after which a job that takes no CPU time counts as hanging."""

ROOM = 64 * MIB
"""Bytes of the volume that is restored onto."""

_ONE = EngineSettings(workers=1, requests=1, depth=2, batch_size=16384)
_NUMBERS = (0, 1, 2, 255, 4095, 4096, 4097, 65535, 1 << 20, 1 << 31, (1 << 32) - 1, 1 << 63)
_OPERATIONS = (*["set"] * 4, "flip", "cut", "grow", "take", "bomb", "text", "digits")
_TEXTS = ("[", "{", "9" * 400, "1e999,", '"\\ud800"', "null", "-1", '"a":', "\0")

Case = dict[str, Any]


class TookTooLong(Exception):
    """A case did not end in time."""


def case(rng: random.Random, others: float = 0.5) -> Case:
    """Return what to forge: which container, and the edits.

    :param others: how often it is to be the chain of two containers, which takes longer.
    """
    base = "chain" if rng.random() < others else "third"
    names = BASES[base]
    edits: list[Edit] = [
        {"name": rng.choice(names), **_edit(rng)} for _ in range(rng.choice((1, 1, 1, 2, 3)))
    ]
    return {"base": base, "edits": edits}


def _edit(rng: random.Random) -> Edit:
    on = rng.choice(("device", "superblock", "record", "record", "record", "segment", "block"))
    edit: Edit = {
        "on": on,
        "which": rng.randrange(1 << 16),
        "op": "set",
        "at": rng.randrange(1 << 24),
        "size": rng.choice((1, 2, 4, 8)),
        "value": rng.choice((*_NUMBERS, -1, rng.getrandbits(64))),
        "aligned": rng.random() < 0.8,
    }
    if on == "device":
        edit["op"] = rng.choice(("flip", "flip", "cut", "swap", "zeros"))
        if rng.random() < 0.5:
            edit["at"] %= 64 << 10
            edit["at"] += rng.choice((0, 2 * MIB, 4 * MIB))
    elif on == "superblock":
        edit["op"] = rng.choice(("set", "set", "flip", "cut", "grow"))
        edit["at"] = rng.choice((rng.randrange(256), edit["at"]))
    elif on == "block":
        edit["op"] = rng.choice(("set", "set", "bomb", "flip"))
        edit["at"] = rng.choice((0, 1, 2, 3, 4, 5, 77, 255))
        edit["value"] = rng.randrange(BOMBS) if edit["op"] == "bomb" else edit["value"]
    else:
        edit["part"] = rng.choice(("header", "plain", "plain", "head"))
        edit["kind"] = rng.choice((1, 2, 3, 3))
        edit["op"] = rng.choice(_OPERATIONS)
        # The first bytes of a payload are its counts.
        edit["at"] = rng.choice(
            (rng.randrange(16), rng.randrange(170), rng.randrange(170), edit["at"])
        )
        if edit["op"] == "take":
            edit["op"] = "flip" if on == "segment" else "take"
            edit["value"] = rng.choice((1, 2, 3, edit["kind"]))
        if edit["op"] == "bomb":
            edit["value"] = rng.randrange(BOMBS)
        if edit["op"] in {"text", "digits"}:
            edit["value"] = rng.choice(_TEXTS)
    return edit


def devices_of(one: Case) -> list[Overlay]:
    """Make the forged devices of a case."""
    return [
        Forger(name).apply([edit for edit in one["edits"] if edit["name"] == name])
        for name in BASES[one["base"]]
    ]


def carried_out(job: Job[Any] | None) -> None:
    """Run a job to its end.

    :raises TookTooLong: its threads still wait for something.
    """
    if job is None:
        return
    job.start()
    try:
        if not job.wait(HANGS_AFTER):
            raise TookTooLong
    except TookTooLong:
        job.cancel()
        raise
    job.result()


class Trial:
    """One forgery, and all that reads it.

    :param part: all of it where it is None; else a number by which a part is chosen.
    """

    def __init__(self, outcomes: Counter[str], part: int | None = None) -> None:
        self._outcomes = outcomes
        self._part = part

    def run(self, one: Case) -> None:
        """Do with forged devices all that reads them."""
        devices = devices_of(one)
        homes = self._all(Container.open, devices)
        for home in homes:
            for entry in home.entries:
                self._look(home, entry.backup_id, homes)
        if self._part is None or self._part % 25 == 0:
            scans = self._all(scan, devices)
            for home in scans:
                for backup_id in list(home.commits):
                    self._look(home, backup_id, scans, scans)

    def _all(self, opening: Callable[[Overlay], Any], devices: Sequence[Overlay]) -> list[Any]:
        found = [self._attempt(opening, device) for device in devices]
        return [one for one in found if one is not None]

    def _attempt(self, what: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Do something that may fail as containers and engines do; None where it did."""
        try:
            return what(*arguments, **named)
        except (ContainerError, EngineError) as exc:
            self._outcomes[type(exc).__name__] += 1
            return None

    def _look(
        self,
        home: Container | Scan,
        backup_id: UUID,
        homes: Sequence[Container | Scan],
        scans: Sequence[Scan] = (),
    ) -> None:
        """Read a backup in each way."""
        reader = self._attempt(BackupReader, home, backup_id, homes)
        if reader is None:
            return
        sink, damage = NullSink(ROOM), list[Damage]()
        ways: list[Callable[[], Any]] = [
            lambda: self._read_maps(reader),
            lambda: RestoreJob(
                reader, sink, write_zeros=True, settings=_ONE, on_damage=damage.append
            ),
            lambda: VerifyJob(reader, settings=_ONE),
            lambda: VerifyJob(reader, share=0.3, settings=_ONE, on_damage=damage.append),
        ]
        chosen = ways if self._part is None or scans else [ways[self._part % len(ways)]]
        for way in chosen:
            self._attempt(lambda way=way: carried_out(way()))
        if scans and reader.commit.source_size <= ROOM:
            missing = self._attempt(recover, reader, damage, lambda: scans, sink)
            if missing is not None:
                size = reader.commit.source_size
                rows = [row for row in lines(size, missing, "a case") if row[0] != "#"][1:]
                assert sum(int(row.split()[1], 0) for row in rows) == size

    def _read_maps(self, reader: BackupReader) -> None:
        for stretch in reader.stretches():
            if stretch.ref is not None:
                self._attempt(reader.chunk_at, stretch.ref, stretch.first)
        self._attempt(reader.chunk, 0)


def memory() -> int:
    """Return the most memory that this process had at any time, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(one: Case, outcomes: Counter[str], part: int | None = None) -> str:
    """Try a case and return what went wrong, as lines; nothing where nothing did.

    :param part: see :class:`Trial`.
    """

    def stop(_number: int, _frame: object) -> None:
        raise TookTooLong

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    before = memory()
    try:
        Trial(outcomes, part).run(one)
    except Exception:  # whatever it is, it is a finding
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    grown = memory() - before
    return f"memory grew by {grown >> 20} MiB" if grown > MOST_MEMORY else ""


def options() -> argparse.ArgumentParser:
    """Return what the command line is read by."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=0, help="stop after that; 0 is never")
    parser.add_argument("--quick", action="store_true", help="do a part with each forgery")
    return parser


def main() -> int:
    """Run cases until there are enough of them, and return how many failed, at most 100."""
    chosen = options().parse_args()
    logging.disable(logging.CRITICAL)
    for names in BASES.values():
        for name in names:
            parts(name)
    for number in range(BOMBS):
        bomb(number)
    # A forgery that asks for all the memory there is must not get it.
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    outcomes: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    start, done = time.monotonic(), 0
    Trial(outcomes).run({"base": "chain", "edits": []})
    base = memory()
    for number in range(chosen.seed, chosen.seed + chosen.count):
        if chosen.minutes and time.monotonic() - start > 60 * chosen.minutes:
            break
        one = case(random.Random(number), others=0.1 if chosen.quick else 0.5)
        trouble = run(one, outcomes, number if chosen.quick else None)
        done += 1
        if trouble:
            last = trouble.strip().splitlines()[-1]
            failures[last] += 1
            if failures[last] == 1:
                print(f"case {number}: {json.dumps(one)}\n{trouble}", flush=True)
    grown = max(0, memory() - base)
    print(f"{done} cases, {time.monotonic() - start:.0f} s, {grown >> 20} MiB added")
    print(f"outcomes: {dict(outcomes.most_common())}")
    print(f"failures: {dict(failures)}")
    return min(100, failures.total() + (grown > MOST_MEMORY))


if __name__ == "__main__":
    sys.exit(main())
