# SPDX-License-Identifier: Apache-2.0
"""Running another program with the connector installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.fixtures.datera.emulated_client import INITIATOR

PROGRAM = """
import sys
from os_brick.initiator import connector
made = connector.InitiatorConnector.factory("iscsi", "sudo")
print(type(made).__name__, made.get_connector_properties("sudo")["initiator"], sys.argv[1:])
print(__name__)
sys.exit(7)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "datera_emulator.with_connector", *arguments],
        env={**os.environ, "DATERA_EMULATOR_INITIATOR": INITIATOR},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_file_runs_with_the_connector_and_its_arguments(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = run(str(program), "--one", "two")
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines() == [
        f"FileConnector {INITIATOR} ['--one', 'two']",
        "__main__",
    ]


def test_a_console_script_is_found_beside_the_interpreter() -> None:
    done = run("datera-emulator", "--help")
    assert done.returncode == 0
    assert "serve" in done.stdout


def test_a_program_that_does_not_exist_is_reported() -> None:
    done = run("no-such-script")
    assert done.returncode == 2
    assert "no script 'no-such-script'" in done.stderr
    assert run().returncode == 2
