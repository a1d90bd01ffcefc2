# SPDX-License-Identifier: Apache-2.0
"""The console script as an operator starts it: a process, a cinder.conf, a database."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.backends.swift_service import SwiftService

pytestmark = pytest.mark.long

Start = Callable[..., Any]

SCRIPT = Path(sys.executable).with_name("backup-dispatch")


def arguments(folder: Path, *more: str) -> list[str]:
    return [str(SCRIPT), "--config-file", str(folder / "cinder.conf"), *more]


def ran(folder: Path, *more: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments(folder, *more), check=False, capture_output=True, text=True, **options
    )


@pytest.mark.release
def test_all_commands_on_posix_and_swift(
    start_dispatching: Start, swift: SwiftService, tmp_path: Path
) -> None:
    cinder = start_dispatching(secondaries="swift", more=swift.cinder_options())
    volume = cinder.create_volume(1)
    for name in ("posix_1", "swift_1"):
        cinder.write(volume, 2**20, name.encode() * 1000)
        assert cinder.create_backup(volume, name).status == "available"
    backup = cinder.create_backup(volume, "swift_2", incremental=True)
    assert backup.status == "available", backup.fail_reason

    told: dict[str, Any] = {}
    for command in (
        ["check"],
        ["list"],
        ["route", "swift_3", "--parent", backup.id],
        ["show", "swift_2"],
        ["verify", "swift_2"],
        ["release"],
    ):
        done = ran(tmp_path, *command, "-f", "json")
        assert done.returncode == 0, done.stderr
        told[command[0]] = json.loads(done.stdout)
        assert swift.key not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    assert [row["State"] for row in told["check"]] == ["up", "up", "up"]
    assert [(row["Backend"], row["Backups"]) for row in told["list"]] == [
        ("posix", 1),
        ("swift", 2),
    ]
    assert told["route"]["parent"] == backup.id
    assert told["show"]["backend"] == "swift"
    assert told["show"]["stored"] > 0
    assert (told["verify"]["result"], told["verify"]["backups_read"]) == ("sound", 2)
    assert {row["Backend"] for row in told["release"]} == {"swift"}
    done = ran(tmp_path, "adopt", "swift_1", "posix")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1


def descriptor_once_read(fifo: Path, process: subprocess.Popen[str]) -> int:
    """Open the pipe as soon as the process reads from it."""
    while process.poll() is None:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
    raise AssertionError(process.communicate())


@pytest.mark.parametrize(("number"), [signal.SIGINT, signal.SIGTERM])
def test_a_verification_can_be_cancelled(
    start_dispatching: Start, tmp_path: Path, number: signal.Signals
) -> None:
    cinder = start_dispatching(secondaries="")
    backup = cinder.create_backup(cinder.create_volume(1), "posix_1")
    (stored,) = (tmp_path / "posix" / backup.container).glob("*-00002")
    stored.unlink()
    os.mkfifo(stored)
    process = subprocess.Popen(
        arguments(tmp_path, "verify", backup.id),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with open(descriptor_once_read(stored, process), "wb"):
        process.send_signal(number)
    # A read that had not begun when the signal came would wait for ever: Python looks at signals
    # before and after it. The end of the pipe lets it look.
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "backup-dispatch: cancelled\n")


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    done = ran(tmp_path, "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert str(tmp_path / "cinder.conf") in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_any_cinder_conf_nothing_is_guessed(tmp_path: Path) -> None:
    if Path("/etc/cinder/cinder.conf").exists():
        pytest.skip("this machine has a cinder.conf")
    done = subprocess.run(
        [str(SCRIPT), "list"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "--config-file" in done.stderr


def test_a_database_that_is_away_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "cinder.conf").write_text(
        "[DEFAULT]\nenabled_backup_backends = posix\n"
        "[database]\nconnection = sqlite:////nonexistent/cinder.sqlite\n"
    )
    done = ran(tmp_path, "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "backup-dispatch: Cinder's database cannot be used "
        "(sqlite:////nonexistent/cinder.sqlite): unable to open database file. "
    )
    assert done.stderr.count("\n") == 1


def test_without_cinder_it_says_which_environment_it_belongs_to() -> None:
    program = "import sys; sys.modules['cinder'] = None; from backup_dispatch.command import main"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; sys.exit(main.main())", "check"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"backup-dispatch: Cinder cannot be imported by {sys.executable}")
    assert "into the environment that cinder-backup runs in" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_command_it_shows_the_help(tmp_path: Path) -> None:
    done = subprocess.run([str(SCRIPT)], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    for command in ("adopt", "check", "list", "release", "route", "show", "verify"):
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("script", ["backup-dispatch", "datera-backup"])
def test_help_is_of_the_command_that_is_named(script: str) -> None:
    for arguments, usage in (
        (["--help"], f"usage: {script} "),
        (["orphans", "--help"], "usage: backup-dispatch orphans "),
    ):
        command = [str(SCRIPT.with_name(script)), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(usage)


def test_unknown_command_ends_with_two(tmp_path: Path) -> None:
    assert ran(tmp_path, "verify").returncode == 2
    assert ran(tmp_path, "no-such-command").returncode == 2
