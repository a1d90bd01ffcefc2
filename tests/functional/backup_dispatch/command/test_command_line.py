# SPDX-License-Identifier: Apache-2.0
"""What the command line says and how it ends, whatever the command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.backup_dispatch.command.test_process import SCRIPT

Start = Callable[..., Any]
Run = Callable[..., Any]

COMMANDS = (
    "adopt",
    "check",
    "copy",
    "list",
    "metrics",
    "mount",
    "orphans",
    "prune",
    "release",
    "report",
    "route",
    "salvage",
    "show",
    "verify",
)
LINES, COLUMNS = 24, 80
LINES_OF_ALL = 30
"""Of the list of commands, which goes beyond a small terminal."""


@pytest.fixture
def on_a_small_terminal(monkeypatch: pytest.MonkeyPatch, cinder_imported: None) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))


@pytest.mark.usefixtures("on_a_small_terminal")
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_fits_a_terminal_with_own_options_first(run: Run, command: str | None) -> None:
    ended = run("help", *([command] if command else []))
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert len(lines) <= (LINES if command else LINES_OF_ALL)
    assert max(map(len, lines)) <= COLUMNS
    if command:
        assert "--max-width" not in ended.out.partition("\nOutput: ")[0]
    else:
        assert all(f"\n  {one} " in ended.out for one in COMMANDS)


@pytest.mark.usefixtures("cinder_imported")
@pytest.mark.parametrize("words", [["help", "nosuch"], ["nosuch"]])
def test_a_word_that_is_no_command_ends_with_two_on_stderr(run: Run, words: list[str]) -> None:
    ended = run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert f"There is no command {words[-1]}; there are adopt, check, " in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "unknown"),
    [
        (["list", "-c", "nosuch"], "nosuch"),
        (["list", "-c", "Backend", "-c", "nosuch"], "nosuch"),
        (["list", "--sort-column", "nosuch"], "nosuch"),
        (["route", "posix_1", "-c", "nosuch"], "nosuch"),
        (["release", "--rewrite", "posix", "--yes", "-c", "nosuch"], "nosuch"),
    ],
)
def test_an_unknown_column_ends_with_two_and_names_those_that_are(
    start_dispatching: Start, run: Run, arguments: list[str], unknown: str
) -> None:
    start_dispatching()
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"backup-dispatch: There is no column {unknown}; there are ")
    assert ended.err.count("\n") == 1, "nothing was done before"


def test_columns_may_be_written_as_cliff_reads_them(start_dispatching: Start, run: Run) -> None:
    start_dispatching()
    ended = run("list", "-c", "in_error", "-c", "backend", "--sort-column", "In Error", "-f", "csv")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == '"Backend","In error"'


@pytest.mark.parametrize("form", ["csv", "value"])
def test_what_is_not_there_is_empty_in_plain_formats(
    start_dispatching: Start, run: Run, form: str
) -> None:
    start_dispatching()
    ended = run("list", "-f", form)
    assert ended.code == 0, ended.err
    assert "None" not in ended.out


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "1e400", "86401", "soon"])
def test_a_timeout_out_of_bounds_is_refused(
    start_dispatching: Start, run: Run, timeout: str
) -> None:
    start_dispatching()
    ended = run("check", f"--timeout={timeout}")
    assert (ended.code, ended.out) == (2, "")
    assert "write seconds above 0 and up to 86400" in ended.err


def test_a_log_file_has_what_the_libraries_say_without_secrets(
    start_dispatching: Start, run: Run, tmp_path: Path
) -> None:
    start_dispatching()
    log = tmp_path / "log"
    assert run("--log-file", str(log), "show", "nosuch").code == 1
    assert "There is no backup with the id or the name nosuch" in log.read_text()
    ended = run("--log-file", str(tmp_path / "no" / "log"), "list")
    assert ended.code == 2
    assert "--log-file" in ended.err


def test_message_of_the_dispatcher_is_logged_once_to_each_place(
    start_dispatching: Start, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    def unreachable(*_arguments: Any) -> None:
        raise ConnectionError("password=s3kr1t")

    cinder = start_dispatching()
    backup = cinder.create_backup(cinder.create_volume(1), "posix_1")
    backup.service = "backup_dispatch.driver.BackupDispatcher@imported"
    backup.metadata = {}
    backup.save()
    monkeypatch.setattr(ShelfBackupDriver, "get_container_entries", unreachable)
    log = tmp_path / "log"
    ended = run("-v", "--log-file", str(log), "show", backup.id)
    assert ended.code == 3
    told = f"Backup {backup.id}: shelf_driver: ConnectionError"
    for text in (ended.err, log.read_text()):
        assert text.count(told) == 1, text
        assert "s3kr1t" not in text
    assert told not in run("show", backup.id).err


def test_a_reader_that_closes_the_output_gets_no_traceback() -> None:
    """A pipe of which nobody reads: as behind ``head`` that has ended."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [str(SCRIPT), "complete"],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_that_cannot_be_written_is_told_in_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [str(SCRIPT), "help"], stdout=full, stderr=subprocess.PIPE, check=False, text=True
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cinder_conf_without_a_word_of_the_dispatcher_is_told_first(
    start_cinder: Start, run: Run
) -> None:
    start_cinder(defaults="backup_driver = cinder.backup.drivers.posix.PosixBackupDriver")
    for words in (["list"], ["route", "x"]):
        first = run(*words).err.splitlines()[0]
        assert first.startswith("[DEFAULT] backup_driver = cinder.backup.drivers.posix.Posix")
        assert "the dispatcher's backends are not used" in first


def of_database(folder: Path, connection: str) -> None:
    (folder / "cinder.conf").write_text(
        f"[DEFAULT]\nenabled_backup_backends = posix\n[database]\nconnection = {connection}\n"
    )


@pytest.mark.usefixtures("cinder_imported", "configuration_put_back")
@pytest.mark.parametrize("address", ["mysql://cinder:se:cret@host:33o6/cinder", "cinder.sqlite"])
def test_what_is_no_address_of_a_database_is_one_line_without_it(
    run: Run, tmp_path: Path, address: str
) -> None:
    of_database(tmp_path, address)
    ended = run("list")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "[database] connection in cinder.conf is no database's address" in ended.err
    assert address not in ended.err
    assert "cret" not in ended.err


@pytest.mark.usefixtures("cinder_imported", "configuration_put_back")
def test_a_mysql_that_never_answers_is_given_up(tmp_path: Path) -> None:
    from oslo_config import cfg

    from backup_dispatch.command.configuration import read_configuration

    of_database(tmp_path, "mysql+pymysql://cinder:secret@127.0.0.1:1/cinder?connect_timeout=7")
    read_configuration([str(tmp_path / "cinder.conf")], [])
    # A limit that stands there twice would be none that pymysql understands.
    assert cfg.CONF.database.connection_parameters == "read_timeout=30&write_timeout=30"


@pytest.mark.usefixtures("cinder_imported", "configuration_put_back")
def test_sudo_never_asks_for_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from oslo_privsep import priv_context

    from backup_dispatch.command.configuration import read_configuration

    told: list[list[str]] = []

    def init(*, root_helper: list[str]) -> None:
        told.append(root_helper)

    monkeypatch.setattr(priv_context, "init", init)
    of_database(tmp_path, "sqlite://")
    read_configuration([str(tmp_path / "cinder.conf")], [])
    assert told == [["sudo", "-n", "cinder-rootwrap", "/etc/cinder/rootwrap.conf"]]


@pytest.fixture
def configuration_put_back() -> Iterator[None]:
    """What a command reads stays for as long as its process: not for the next test."""
    from oslo_config import cfg

    yield
    for name in ("max_retries", "retry_interval", "connection_parameters"):
        cfg.CONF.clear_override(name, group="database")
    cfg.CONF.reset()
