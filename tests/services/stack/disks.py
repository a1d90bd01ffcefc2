# SPDX-License-Identifier: Apache-2.0
"""A user's host, on which volumes are attached, written and read: `disk.py`, some at a time."""

from __future__ import annotations

import queue
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from demo.servers.processes import environment
from tests.fixtures.answering_process import AnsweringProcess

INITIATOR = "iqn.2026-01.org.example:instances"
AT_A_TIME = 2
SECONDS = 300.0
Write = tuple[int, int, int]
"""Offset, length, seed."""


class Disks:
    """Attaches volumes of one user.

    :param words: arguments that connect openstacksdk as that user.
    :param locks: a directory for os-brick's locks.
    :param log: for the programs' output.
    """

    def __init__(self, words: Mapping[str, Any], locks: Path, log: Path) -> None:
        self._order = {"cloud": words, "locks": str(locks)}
        runner = [sys.executable, "-m", "datera_emulator.with_connector"]
        command = [*runner, str(Path(__file__).with_name("disk.py"))]
        env = environment({"DATERA_EMULATOR_INITIATOR": INITIATOR})
        # The last one used is used next: the others need not even start.
        self._idle: queue.LifoQueue[AnsweringProcess] = queue.LifoQueue()
        self._programs = [AnsweringProcess(command, env, log) for _ in range(AT_A_TIME)]
        for program in self._programs:
            self._idle.put(program)

    def write(self, volume_id: str, writes: Iterable[Write]) -> None:
        """Write onto a volume."""
        self._do(volume_id, writes=list(writes), read=False)

    def digest(self, volume_id: str) -> str:
        """Return the digest of all the bytes of a volume."""
        return self._do(volume_id, writes=[], read=True)

    def close(self) -> None:
        """End the programs at once."""
        for program in self._programs:
            program.close(seconds=0)

    def _do(self, volume_id: str, **what: object) -> str:
        program = self._idle.get(timeout=AT_A_TIME * SECONDS)
        try:
            answer = program.ask({**self._order, "volume": volume_id, **what}, seconds=SECONDS)
        finally:
            self._idle.put(program)
        assert "failed" not in answer, answer["failed"]
        return str(answer["digest"])
