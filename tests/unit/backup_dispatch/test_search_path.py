# SPDX-License-Identifier: Apache-2.0
"""No command is looked for in a folder that the user may not enter."""

from __future__ import annotations

import os
from pathlib import Path

from backup_dispatch.search_path import enterable, not_enterable
from tests.fixtures.ordinary_user import path_with_barred, run_python

MISSING = """
import subprocess
try:
    subprocess.run(["a-command-that-is-missing"])
except OSError as error:
    print(type(error).__name__)
"""
OF_PATH = "import os; from backup_dispatch.search_path import *; print(%s(os.environ['PATH']))"


def test_folders_that_may_not_be_entered_are_left_out_of_path(tmp_path: Path) -> None:
    barred, harmless = path_with_barred(tmp_path)
    path = [barred[0], harmless[0], barred[1], harmless[1]]

    assert run_python("-c", OF_PATH % "enterable", path=path) == os.pathsep.join(harmless)
    assert run_python("-c", OF_PATH % "not_enterable", path=path) == str(barred)


def test_path_that_may_be_entered_stays_as_it_is() -> None:
    path = os.pathsep.join(("/usr/bin", "", "/bin", "/usr/bin"))

    assert enterable(path) == path
    assert not_enterable(path) == []


def test_missing_command_is_not_found_once_path_is_clean(tmp_path: Path) -> None:
    barred, _ = path_with_barred(tmp_path)
    clean = "from backup_dispatch.search_path import clean_path; clean_path()"

    assert run_python("-c", MISSING, path=barred) == "PermissionError"
    assert run_python("-c", f"{clean}\n{MISSING}", path=barred) == "FileNotFoundError"


def test_backup_dispatch_looks_only_where_its_user_may_enter(tmp_path: Path) -> None:
    barred, harmless = path_with_barred(tmp_path)
    program = """
import os, sys
sys.modules["cinder"] = None  # what it does before it imports Cinder is enough
from backup_dispatch.command.main import main
main([])
print(os.environ["PATH"])
"""
    assert run_python("-c", program, path=[*barred, *harmless]) == os.pathsep.join(harmless)


def test_tests_look_only_where_their_user_may_enter(tmp_path: Path) -> None:
    barred, harmless = path_with_barred(tmp_path)
    program = "import os, tests.conftest; print(os.environ['PATH'])"

    told = run_python("-c", program, path=[*barred, *harmless])

    assert told == os.pathsep.join(harmless)
