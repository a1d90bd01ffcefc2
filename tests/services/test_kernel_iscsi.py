# SPDX-License-Identifier: Apache-2.0
"""The kernel's own iSCSI initiator, in a guest: CHAP, one portal and two."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from demo.processes import PROJECT
from tests.services.stack.guest import Guest, GuestDidNotRun

SECONDS = 1200.0


def test_the_drivers_work_with_the_kernels_initiator(run_folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the guest's user must be root, and it is whoever runs the tests")
    guest = Guest(run_folder / "guest")
    try:
        given = {
            "PYTHON": sys.executable,
            "PROJECT": PROJECT,
            "MULTIPATH": guest.unpacked("multipath"),
        }
        lines = [f"{name}={shlex.quote(str(value))}" for name, value in given.items()]
        program = Path(__file__).with_name("guest") / "kernel_initiator.sh"
        status, shown = guest.run("\n".join([*lines, program.read_text()]), seconds=SECONDS)
    except GuestDidNotRun as reason:
        pytest.skip(f"a user-mode Linux does not run here: {reason}")
    assert status == 0, shown
    assert " passed" in shown, shown
