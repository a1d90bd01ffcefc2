# SPDX-License-Identifier: Apache-2.0
"""The tests of the kernel's initiator, which run in a guest in parallel with all others."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from demo.servers.processes import PROJECT
from tests.services.stack.guests.emulated_machine import EmulatedMachine
from tests.services.stack.guests.guest import Guest, GuestDidNotRun
from tests.services.stack.guests.user_mode_linux import UserModeLinux

PROGRAM = Path(__file__).parents[2] / "guest" / "kernel_initiator.sh"
SECONDS = 2400.0
KINDS: dict[str, type[Guest]] = {"user-mode": UserModeLinux, "emulated": EmulatedMachine}
"""The kinds of guests, in the order in which they are tried: the first needs fewer packages."""


@contextmanager
def kernel_initiator_under_way(directory: Path) -> Iterator[Future[tuple[int, str]]]:
    """Run the tests; the result is their exit status, and the guest's console output.

    They end with the block, finished or not. If one kind of guest does not run, the next is tried;
    ``SERVICES_GUEST`` selects a single one.

    :param directory: private to the guests.
    :raises ValueError: there is no such kind of guest.
    """
    wanted = os.environ.get("SERVICES_GUEST")
    if wanted not in (None, *KINDS):
        raise ValueError(f"SERVICES_GUEST is {wanted!r}, and must be one of: {', '.join(KINDS)}")
    guests = {
        name: kind(directory / name) for name, kind in KINDS.items() if wanted in (None, name)
    }
    with ThreadPoolExecutor(1) as side:
        try:
            yield side.submit(_run_in_one, guests)
        finally:
            for guest in guests.values():
                guest.stop()


def _run_in_one(guests: dict[str, Guest]) -> tuple[int, str]:
    if os.geteuid() != 0:
        raise GuestDidNotRun("its user is whoever runs the tests, and must be root")
    reasons = []
    for name, guest in guests.items():
        try:
            return _run(guest)
        except GuestDidNotRun as exc:
            reasons.append(f"{name}: {exc}")
    raise GuestDidNotRun("; ".join(reasons))


def _run(guest: Guest) -> tuple[int, str]:
    given = {
        "PYTHON": sys.executable,
        "PROJECT": PROJECT,
        "MULTIPATH": guest.unpacked("multipath"),
    }
    lines = [f"{name}={shlex.quote(str(value))}" for name, value in given.items()]
    return guest.run("\n".join([*lines, PROGRAM.read_text()]), seconds=SECONDS)
