# SPDX-License-Identifier: Apache-2.0
"""The command ``backup-dispatch`` beside a Cinder, in the test's process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process
from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.fixtures.backends import verdicts
from tests.fixtures.backends.swift_service import SwiftService


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was written, with ``-f json``."""
        return json.loads(self.out)


Run = Callable[..., Ended]


def run_command(conf: Path, *arguments: str, stdin: str = "", terminal: bool = False) -> Ended:
    """Run a command over a cinder.conf in this process."""
    from backup_dispatch.command.app import CommandApp
    from backup_dispatch.command.table import COMMANDS

    kind = Terminal if terminal else io.StringIO
    given, out, err = kind(stdin), kind(), kind()
    app = CommandApp(COMMANDS, given, out, err)
    try:
        with redirect_stderr(err):
            code = app.run(["--config-file", str(conf), *arguments])
    except SystemExit as ended:
        # What argparse refuses ends the process.
        code = int(ended.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command over the cinder.conf of the test's Cinder."""
    # Help begins with the program's name, and its lines are broken by the length of that.
    monkeypatch.setattr("sys.argv", ["backup-dispatch"])
    return partial(run_command, tmp_path / "cinder.conf")


@pytest.fixture
def run_json(run: Run) -> Callable[..., Any]:
    """Run a command that goes well, and return its output, parsed."""

    def run_json(*arguments: str) -> Any:
        ended = run(*arguments, "-f", "json")
        assert ended.code == 0, ended.err
        return ended.json

    return run_json


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """A Datera cluster, and the way to it."""
    with Emulator(state_dir=tmp_path / "array") as running:
        brick.install("iqn.1993-08.org.debian:01:testhost")
        yield running
        brick.uninstall()


@pytest.fixture
def datera_options(emulator: Emulator) -> str:
    """Lines of ``[DEFAULT]``: where the cluster is, and how to log in."""
    lines = (
        "backup_datera_san_ip = 127.0.0.1",
        f"backup_datera_san_login = {emulator.username}",
        f"backup_datera_san_password = {emulator.password}",
        f"backup_datera_api_port = {emulator.https_port}",
        "backup_datera_ssl_cert_verify = True",
        f"backup_datera_ssl_cert_path = {emulator.ca_bundle}",
        # A cluster that a test stops does not come back.
        "backup_datera_503_timeout = 1",
    )
    return "\n".join(lines)


@pytest.fixture
def cloud_of_four(
    start_cinder: Callable[..., Any], datera_options: str, swift: SwiftService, shelf: Path
) -> Iterator[Any]:
    """A Cinder whose backups go to Datera, posix, Swift and, with a section, another posix."""
    from datera_backup.storage.backend import forget_backends

    lines = (
        "backup_driver = backup_dispatch.driver.BackupDispatcher",
        "enabled_backup_backends = datera, posix, swift, shelf",
        datera_options,
        swift.cinder_options(),
    )
    section = f"[shelf]\nbackup_driver = posix\nbackup_posix_path = {shelf}\n"
    yield start_cinder(defaults="\n".join(lines), sections=section)
    this_process().stop_checking()
    forget_backends()


@pytest.fixture
def four_backups(cloud_of_four: Any) -> dict[str, Any]:
    """A full backup on each of the four, and an incremental of it; by name."""
    cinder = cloud_of_four
    volume = cinder.create_volume(1)
    backups: dict[str, Any] = {}
    for number in (1, 2):
        for place, backend in enumerate(("datera", "posix", "swift", "shelf")):
            name = f"{backend}_{number}"
            cinder.write(volume, (4 * number + place) * 2**20, name.encode() * 10000)
            backups[name] = cinder.create_backup(volume, name, incremental=number > 1)
            assert backups[name].status == "available", backups[name].fail_reason
    return backups


@pytest.fixture
def chain(start_dispatching: Callable[..., Any], shelf: Path, tmp_path: Path) -> verdicts.Chain:
    """What verdicts are about."""
    return verdicts.begun(start_dispatching, shelf, tmp_path)
