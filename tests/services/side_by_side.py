# SPDX-License-Identifier: Apache-2.0
"""Run the tests on real servers in two processes: ``python -m tests.services.side_by_side``.

Both mostly wait for servers: the scenarios of the cloud in one process, all others in the other.
Each line begins with its process; the two summaries are repeated at the end. A Ctrl-C
reaches both, which then stop their servers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType

CLOUD = "tests/services/cloud"
FAULTS = "tests/services/faults"
PARTS = {
    "cloud": [CLOUD],
    "others": [
        "tests/services",
        f"--ignore={CLOUD}",
        # By `make test-kills`, for they take long.
        f"--ignore={FAULTS}",
        "tests/functional/backup_dispatch/test_contract.py",
    ],
}
PYTEST = ["-m", "pytest", "-vv", "--durations=0", "--durations-min=5", "-p", "no:cacheprovider"]


class Part:
    """One process of pytest, whose output is passed on line by line.

    :ivar last_line: its last line, which is its summary once it has ended.
    """

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self._name = name
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            # A terminal's Ctrl-C reaches only this program, which passes it on once.
            start_new_session=True,
        )
        self.last_line = ""
        self._telling = threading.Thread(target=self._tell)
        self._telling.start()

    def _tell(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            sys.stdout.write(f"{self._name} | {line}")
            sys.stdout.flush()
            self.last_line = line.strip() or self.last_line

    def interrupt(self) -> None:
        """Interrupt it; it stops its servers before it exits."""
        self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """Return its exit status once it has exited and all its output was passed on."""
        status = self._process.wait()
        self._telling.join()
        return status


def side_by_side(commands: dict[str, Sequence[str]]) -> int:
    """Run the commands at once; return the first exit status, in their order, that is not 0."""
    width = max(map(len, commands))
    parts: list[Part] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        for part in parts:
            part.interrupt()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    for name, command in commands.items():
        parts.append(Part(name.ljust(width), command))
    statuses = [part.wait() for part in parts]
    print(*(part.last_line for part in parts), sep="\n")
    return next((status for status in statuses if status), 0)


if __name__ == "__main__":
    sys.exit(
        side_by_side({name: [sys.executable, *PYTEST, *paths] for name, paths in PARTS.items()})
    )
