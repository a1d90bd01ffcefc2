# SPDX-License-Identifier: Apache-2.0
"""Asking all backends at once whether they are up."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backup_dispatch.command.masking import masked
from backup_dispatch.errors import reason_of

Check = Callable[[], None]


@dataclass(frozen=True)
class Answer:
    """What a backend answered.

    :ivar reason: why it is down; empty if it is up.
    :ivar seconds: how long that took.
    """

    up: bool
    reason: str
    seconds: float


def answers(
    checks: Mapping[str, Check],
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Answer]:
    """Run the checks side by side; who has not answered in time is down.

    :param checks: by backend; each raises whatever is wrong.
    :param deadline: seconds that each has.
    """
    came: queue.Queue[tuple[str, Answer]] = queue.Queue()
    started = clock()

    def run(name: str, check: Check) -> None:
        try:
            check()
        except Exception as error:
            came.put((name, Answer(False, masked(reason_of(error)), clock() - started)))
        else:
            came.put((name, Answer(True, "", clock() - started)))

    for name, check in checks.items():
        # A check that hangs must not keep the command from ending.
        threading.Thread(target=run, args=(name, check), daemon=True).start()
    silent = Answer(False, f"it has not answered within {deadline:g} seconds", deadline)
    found = dict.fromkeys(checks, silent)
    for _ in checks:
        try:
            name, answer = came.get(timeout=max(0.0, started + deadline - clock()))
        except queue.Empty:
            break
        found[name] = answer
    return found
