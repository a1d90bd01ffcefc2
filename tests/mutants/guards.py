# SPDX-License-Identifier: Apache-2.0
"""Take out, one by one, what the promises rest on: the faults must notice each.

``python -m tests.mutants.guards`` runs the tests of faults named beside each guard in a copy of the
sources that lacks it. The exit code is 1 if any of them does not notice.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.covering import THREADS
from tests.mutants.trees import copy, tracked

SECONDS = 1800


@dataclass(frozen=True)
class Guard:
    """One of them.

    :ivar present: its text, once in its file; ``missing`` is what stands there without it.
    :ivar tests: those that must notice, of `make test-faults`.
    """

    name: str
    path: str
    present: str
    missing: str
    tests: tuple[str, ...]


GUARDS = (
    Guard(
        "the flush before the superblock names a backup",
        "datera_backup/container/writer.py",
        "        self._device.flush()\n        self._commit(ref",
        "        self._commit(ref",
        ("tests/faults/container/test_power_cuts.py",),
    ),
    Guard(
        "the digest of each block that is read",
        "datera_backup/engine/verifier.py",
        "if self._digest_of(plain) != chunk.digest(place):",
        "if False:",
        ("tests/faults/container/test_damaged_records.py",),
    ),
    Guard(
        "the withdrawal of the host from the access list",
        "datera_backup/storage/attachments.py",
        "                self._close(name, initiator, host_lock, found)\n",
        "",
        ("tests/faults/backups",),
    ),
    Guard(
        "the record saved before the container is created",
        "datera_backup/operations/create_backup.py",
        "                self._claim(name)\n            except BaseException",
        "                pass\n            except BaseException",
        ("tests/faults/backups",),
    ),
    Guard(
        "the second copy of a record",
        "datera_backup/container/copies.py",
        "        for place in places(ref.offset):\n            try:\n                raw =",
        "        for place in places(ref.offset)[:1]:\n            try:\n                raw =",
        ("tests/faults/container/test_damaged_records.py",),
    ),
    Guard(
        "the look at the lock before the superblock is written",
        "datera_backup/operations/create_backup.py",
        "run(job, Guarded(self._watch, lock.require))",
        "run(job, self._watch)",
        ("tests/functional/datera_backup/test_two_writers.py",),
    ),
    Guard(
        "the deadline of a request",
        "datera_volume/connection/transport/http.py",
        "timeout=(self.settings.connect_timeout, self.settings.read_timeout),",
        "timeout=None,",
        ("tests/faults/backups", "tests/faults/volumes"),
    ),
    Guard(
        "the reading past the cache before a block is called damaged",
        "datera_backup/engine/restore/stages.py",
        "                device.forget(run.offset + at, len(stored))\n",
        "",
        ("tests/faults/backups", "tests/faults/container"),
    ),
)


def noticed(guard: Guard, tree: Path) -> bool:
    """Take the guard out of a copy of the sources, run its tests there, and put it back.

    :raises ValueError: it is not there as it is written down.
    """
    path = tree / guard.path
    sound = path.read_text()
    if sound.count(guard.present) != 1:
        raise ValueError(f"{guard.path} has not exactly once: {guard.present!r}")
    path.write_text(sound.replace(guard.present, guard.missing))
    command = [sys.executable, "-m", "pytest", "-p", "tests.fixtures.as_service"]
    command += ["-p", "no:cacheprovider", "-n", "2", "-x", "-qq", *guard.tests]
    alone = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", **THREADS}
    extent = {"FAULTS": os.environ.get("FAULTS", "brief")}
    try:
        ended = subprocess.run(
            command,
            cwd=tree,
            env={**os.environ, **alone, **extent},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    finally:
        path.write_text(sound)
    # Not by the exit code: several processes, stopped at a failure, tell of an interruption.
    failed = [line for line in ended.stdout.splitlines() if line.startswith("FAILED ")]
    print(*failed, sep="\n")
    return bool(failed)


def main(names: list[str]) -> int:
    """Try those guards whose name has any of the words, or all."""
    wanted = [one for one in GUARDS if not names or any(name in one.name for name in names)]
    unnoticed = []
    with tempfile.TemporaryDirectory() as folder:
        tree = copy(tracked(), Path(folder) / "tree")
        for guard in wanted:
            print(f"without {guard.name}:", flush=True)
            if not noticed(guard, tree):
                unnoticed.append(guard.name)
    print(f"{len(wanted) - len(unnoticed)} of {len(wanted)} noticed", *unnoticed, sep="\n  not: ")
    return int(bool(unnoticed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
