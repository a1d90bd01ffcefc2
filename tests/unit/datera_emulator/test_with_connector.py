# SPDX-License-Identifier: Apache-2.0
"""A program runs with the connector in os-brick's table, and nothing is imported before it."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
# What was imported before eventlet patches the standard library stays unpatched.
assert not {"os_brick", "requests", "urllib3"} & set(sys.modules), "imported too early"
from os_brick.initiator import connector
print(connector._connector_mapping_linux["ISCSI"], sys.argv[1:], __name__)
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

    assert done.stdout == "datera_emulator.brick.FileConnector ['an argument'] __main__\n", (
        done.stderr
    )
