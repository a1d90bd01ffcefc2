# SPDX-License-Identifier: Apache-2.0
"""The tests of the kernel's initiator, which run in a guest beside all others."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from demo.processes import PROJECT
from tests.services.stack.guest import Guest, GuestDidNotRun

PROGRAM = Path(__file__).parents[1] / "guest" / "kernel_initiator.sh"
SECONDS = 1500.0


@contextmanager
def kernel_initiator_under_way(directory: Path) -> Iterator[Future[tuple[int, str]]]:
    """Let the tests run; what comes is their exit status, and what the guest's console showed.

    They end with the block, whether they are over or not.

    :param directory: private to the guest.
    """
    guest = Guest(directory)
    with ThreadPoolExecutor(1) as side:
        try:
            yield side.submit(_run, guest)
        finally:
            guest.stop()


def _run(guest: Guest) -> tuple[int, str]:
    if os.geteuid() != 0:
        raise GuestDidNotRun("its user is whoever runs the tests, and must be root")
    given = {
        "PYTHON": sys.executable,
        "PROJECT": PROJECT,
        "MULTIPATH": guest.unpacked("multipath"),
    }
    lines = [f"{name}={shlex.quote(str(value))}" for name, value in given.items()]
    return guest.run("\n".join([*lines, PROGRAM.read_text()]), seconds=SECONDS)
