# SPDX-License-Identifier: Apache-2.0
"""The page on writing a backend: its driver keeps the contract, and a broken one does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.pages import ROOT

PAGE = ROOT / "docs/writing-a-backend.md"
_FILE = re.compile(r"\(`(tape_backup/\w+\.py)`\):\n\n```python\n(.*?)```", re.DOTALL)

OPEN_DATA = """\
    def open_data(self, backup):
        tape = self._tape(backup)

        class Data:
            size = os.path.getsize(tape)

            def extents(self):
                yield 0, self.size

            def read_into(self, offset, buffer):
                if offset + len(buffer) > self.size:
                    raise ValueError
                with open(tape, "rb") as file:
                    file.seek(offset + 1)
                    file.readinto(buffer)
                return []

            def close(self):
                pass

        return Data()

"""

BROKEN = {
    # what is changed in the driver, and the test of the contract that finds it
    "a restore that leaves the end out": (
        "shutil.copyfileobj(tape, volume_file, MIB)",
        "volume_file.write(tape.read(9 * MIB))",
        "test_full_backup_restores_to_new_and_to_used_volumes",
    ),
    "a deletion that leaves the data": (
        "os.unlink(self._tape(backup))",
        "pass",
        "test_deletion_leaves_nothing_and_holds_says_so",
    ),
    "a place that is not saved": (
        "        backup.save()\n",
        "        backup.container = None\n",
        "test_place_is_saved_in_the_record",
    ),
    "a size of another unit": (
        "return os.path.getsize(self._tape(backup))",
        "return os.path.getsize(self._tape(backup)) // MIB",
        "test_stored_size_is_that_of_a_finished_backup",
    ),
    "a method with other arguments": (
        "def stored_size(self, backup)",
        "def stored_size(self)",
        "test_driver_keeps_the_promises_of_what_it_offers",
    ),
    "data that begins a byte too late": (
        "    def stored_size(self",
        f"{OPEN_DATA}    def stored_size(self",
        "test_opened_data_reads_as_a_restore_does",
    ),
    "an import that is refused": (
        "    def holds(self",
        "    def import_record(self, backup, driver_info):\n        raise ValueError\n\n"
        "    def holds(self",
        "test_exported_record_can_be_imported",
    ),
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The files that the page shows."""
    folder = tmp_path / "tape_backup"
    folder.mkdir()
    (folder / "__init__.py").touch()
    shown = dict(_FILE.findall(PAGE.read_text()))
    assert set(shown) == {"tape_backup/driver.py", "tape_backup/test_driver.py"}
    for name, text in shown.items():
        (tmp_path / name).write_text(text)
    return folder


def run_under_testtools(package: Path, *modules: str) -> subprocess.CompletedProcess[str]:
    """What the page tells to type."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "testtools.run", *modules],
        cwd=package.parent,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{package.parent}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def test_driver_on_the_page_keeps_the_contract_under_testtools(package: Path) -> None:
    ended = run_under_testtools(package, "tape_backup.test_driver")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    ran = re.search(r"^Ran (\d+) tests", ended.stdout, re.MULTILINE)
    assert ran, ended.stdout
    assert int(ran[1]) > 10


@pytest.mark.release
def test_each_broken_driver_fails_the_test_that_is_about_it(package: Path) -> None:
    driver, contract = ((package / name).read_text() for name in ("driver.py", "test_driver.py"))
    wanted = []
    for number, (what, (right, wrong, test)) in enumerate(BROKEN.items()):
        assert driver.count(right) == 1, what
        (package / f"broken_{number}.py").write_text(driver.replace(right, wrong))
        (package / f"test_{number}.py").write_text(
            contract.replace("tape_backup.driver", f"tape_backup.broken_{number}")
        )
        wanted.append(f"tape_backup.test_{number}.TapeContract.{test}")
    ended = run_under_testtools(package, *wanted)
    failed = set(re.findall(r"^(?:FAIL|ERROR): (\S+)$", ended.stdout + ended.stderr, re.MULTILINE))
    assert failed == set(wanted), ended.stdout + ended.stderr
