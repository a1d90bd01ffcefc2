# SPDX-License-Identifier: Apache-2.0
"""The plugin of devstack, phase by phase, beside stand-ins for devstack's own functions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

STAND_INS = """
set -eu
CINDER_CONF={folder}/cinder.conf DATA_DIR={folder}/data STACK_USER=$(id -un)
enable_service() {{ echo "enable_service $*"; }}
is_service_enabled() {{ [[ " $ENABLED " == *" $1 "* ]]; }}
echo_summary() {{ :; }}
setup_develop() {{ echo "setup_develop $1 [$2]"; }}
iniget() {{ sed -n "s/^$3 = //p" "$1"; }}
iniset() {{ sed -i "/^$3 = /d" "$1"; echo "$3 = $4" >> "$1"; }}
sudo() {{ "$@"; }}
die() {{ echo "die ${{*:2}}"; exit 1; }}
ENABLED="c-api c-bak" CINDER_BIN_DIR={folder}
"""

SWIFT = "cinder.backup.drivers.swift.SwiftBackupDriver"


class Devstack:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code = 0

    def runs(self, *phases: str, local: str = "", driver: str = SWIFT) -> list[str]:
        """Return what the phases called."""
        program = self.folder / "backup-dispatch"
        program.write_text('#!/bin/sh\necho "backup-dispatch $*"; exit "${CHECKED:-0}"\n')
        program.chmod(0o755)
        conf = self.folder / "cinder.conf"
        if not conf.exists():
            conf.write_text(f"[DEFAULT]\nbackup_driver = {driver}\n")
        script = [STAND_INS.format(folder=self.folder), local, f"source {ROOT}/devstack/settings"]
        script += [f"set -- {phase}; source {ROOT}/devstack/plugin.sh {phase}" for phase in phases]
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)], capture_output=True, text=True, check=False
        )
        assert not done.stderr
        self.code = done.returncode
        return done.stdout.splitlines()[1:]

    @property
    def options(self) -> dict[str, str]:
        lines = (self.folder / "cinder.conf").read_text().splitlines()[1:]
        return {name: value for name, _, value in (line.partition(" = ") for line in lines)}


@pytest.fixture
def devstack(tmp_path: Path) -> Devstack:
    return Devstack(tmp_path)


def test_install_installs_these_sources_with_the_extras(devstack: Devstack) -> None:
    assert devstack.runs("stack install") == [f"setup_develop {ROOT} [datera,metrics,report]"]


def test_the_driver_that_devstack_configured_becomes_the_primary(devstack: Devstack) -> None:
    devstack.runs("stack post-config")
    posix = devstack.folder / "data" / "backup-dispatch"
    assert devstack.options == {
        "backup_driver": "backup_dispatch.driver.BackupDispatcher",
        "enabled_backup_backends": "swift,posix",
        "backup_posix_path": str(posix),
    }
    assert posix.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(
    ("driver", "backends"),
    [
        ("cinder.backup.drivers.s3.S3BackupDriver", "s3,posix"),
        ("cinder.backup.drivers.posix.PosixBackupDriver", "posix"),
        ("backup_dispatch.driver.BackupDispatcher", "posix"),
    ],
)
def test_the_backends_follow_from_devstack_s_driver(
    devstack: Devstack, driver: str, backends: str
) -> None:
    devstack.runs("stack post-config", driver=driver)
    assert devstack.options["enabled_backup_backends"] == backends


def test_backends_of_local_conf_are_taken_as_they_are(devstack: Devstack) -> None:
    devstack.runs("stack post-config", local='BACKUP_DISPATCH_BACKENDS="datera, ceph"')
    assert devstack.options["enabled_backup_backends"] == "datera, ceph"
    assert not (devstack.folder / "data").exists()


@pytest.mark.parametrize(("found", "ends"), [(0, 0), (1, 0), (2, 1), (3, 0)])
def test_extra_ends_the_run_only_if_the_configuration_cannot_be_used(
    devstack: Devstack, found: int, ends: int
) -> None:
    assert (
        devstack.runs("stack extra", local=f"export CHECKED={found}")[0] == "backup-dispatch check"
    )
    assert devstack.code == ends


def test_clean_removes_the_files_of_posix(devstack: Devstack) -> None:
    devstack.runs("stack post-config")
    devstack.runs("unstack", "clean")
    assert not (devstack.folder / "data" / "backup-dispatch").exists()


def test_clean_leaves_a_folder_that_is_not_devstack_s(devstack: Devstack) -> None:
    own = devstack.folder / "srv"
    local = f"BACKUP_DISPATCH_POSIX_PATH={own}"
    devstack.runs("stack post-config", "clean", local=local)
    assert own.is_dir()


def test_nothing_is_done_without_cinder_backup(devstack: Devstack) -> None:
    phases = ("stack install", "stack post-config", "stack extra", "unstack", "clean")
    assert devstack.runs(*phases, local="ENABLED=c-api") == []
    assert devstack.options == {"backup_driver": SWIFT}
