# SPDX-License-Identifier: Apache-2.0
"""What the process of ``backup-dispatch`` keeps to itself."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from backup_dispatch.command.main import silent_about_green_threads


def test_only_the_end_of_a_green_thread_is_not_told() -> None:
    told: list[Any] = []
    hook = silent_about_green_threads(told.append)
    green = import_module("greenlet").error("Cannot switch to a different thread")
    hook(SimpleNamespace(exc_value=green))
    assert not told
    other = SimpleNamespace(exc_value=ValueError("a real one"))
    hook(other)
    assert told == [other]


PRINTING = """
import os, sys
from backup_dispatch.command import main

def run(argv):
    os.write(1, b"server name not found\\n")
    print("data")
    return 0

main._run = run
sys.exit(main.main([]))
"""


def test_what_a_c_library_prints_does_not_get_into_the_output() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTING], check=True, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("data\n", "server name not found\n")
