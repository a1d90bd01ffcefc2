# SPDX-License-Identifier: Apache-2.0
"""What service and command write holds no secret, and none of it may be changed by others."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from tests.functional.backup_dispatch.command.conftest import (
    cloud_of_four,
    datera_options,
    emulator,
    run,
)
from tests.functional.backup_dispatch.conftest import shelf, swift

__all__ = ["cloud_of_four", "datera_options", "emulator", "run", "shelf", "swift"]

COMMANDS = (
    ("list",),
    ("list", "--status", "available"),
    ("check",),
    ("metrics",),
    ("orphans",),
    ("route", "datera_x"),
    ("report", "--format", "text"),
)


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """What is open to others is so by our own doing."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_no_secret_leaves_the_configuration_and_no_file_is_open_to_changes(
    cloud_of_four: Any,
    emulator: Emulator,
    run: Callable[..., Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from oslo_config import cfg
    from oslo_messaging.notify import _impl_test

    caplog.set_level("DEBUG", logger="backup_dispatch")
    caplog.set_level("DEBUG", logger="datera_backup")
    caplog.set_level("DEBUG", logger="datera_volume")
    _impl_test.reset()
    cinder = cloud_of_four
    volume = cinder.create_volume(1)
    made = {name: cinder.create_backup(volume, f"{name}_1") for name in ("datera", "swift")}
    assert {one.status for one in made.values()} == {"available"}
    log = tmp_path / "command.log"
    commands = [*COMMANDS, *(("show", one.id) for one in made.values())]
    commands += [("verify", made["datera"].id), ("report", "--output", str(tmp_path / "r.html"))]
    told = ""
    for command in commands:
        ended = run("--debug", "-vv", "--log-file", str(log), *command)
        told += ended.out + ended.err
    # A backend that fails repeats what it was given.
    echo = {"message": f"no {emulator.password}", "params": emulator.password}
    emulator.faults.answer(500, echo, times=None)
    failed = cinder.create_backup(volume, "datera_2")
    assert failed.status == "error"
    told += str(failed.fail_reason) + run("--debug", "check").err
    emulator.faults.clear()
    notified = [str(one) for one in _impl_test.NOTIFICATIONS]
    assert any("backup.create.end" in one for one in notified)
    told += "".join(notified)

    secrets = {emulator.password, str(cfg.CONF.backup_swift_key)}
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(OWN)]
    for secret in secrets:
        assert secret not in told
        assert not [line for line in ours if secret in line]
    kept = {"cinder.conf"}
    for path in written(tmp_path):
        if path.name not in kept and path.suffix != ".sqlite":
            text = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in text], path
        assert not stat.S_IMODE(path.stat().st_mode) & 0o022, path


OWN = ("backup_dispatch", "datera_backup", "datera_volume")


def written(folder: Path) -> Iterator[Path]:
    """The files of service and command: not the array's own, nor the volumes."""
    for path in folder.rglob("*"):
        within = path.relative_to(folder).parts[0]
        if path.is_file() and within not in ("array", "volumes") and path.stat().st_size < 2**24:
            yield path
