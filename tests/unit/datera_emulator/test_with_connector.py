# SPDX-License-Identifier: Apache-2.0
"""A program runs with the connector in os-brick's table, and nothing is imported before it."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.fixtures.ordinary_user import path_with_barred, run_python

PROGRAM = """
import sys
# What was imported before eventlet patches the standard library stays unpatched.
assert not {"os_brick", "requests", "urllib3"} & set(sys.modules), "imported too early"
from os_brick.initiator import connector
print(connector._connector_mapping_linux["ISCSI"], sys.argv[1:], __name__)
"""

HOST = """
import os_brick.privileged
from os_brick.initiator import connector
os_brick.privileged.default.set_client_mode(False)
print(bool(connector.get_connector_properties("env", "127.0.0.1", False, False)["host"]))
"""


def test_the_connector_is_there_once_os_brick_is(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    done = subprocess.run(
        [sys.executable, "-m", "datera_emulator.with_connector", program, "an argument"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "datera_emulator.target.brick.FileConnector ['an argument'] __main__\n", (
        done.stderr
    )


def test_path_with_folders_that_may_not_be_entered_serves_os_brick(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(HOST)
    barred, harmless = path_with_barred(tmp_path)
    # The one command that os-brick cannot do without; dmidecode, among others, is not found.
    grep = shutil.which("grep")
    assert grep is not None
    Path(harmless[0], "grep").symlink_to(grep)

    told = run_python("-m", "datera_emulator.with_connector", program, path=[*barred, *harmless])

    assert told == "True"
