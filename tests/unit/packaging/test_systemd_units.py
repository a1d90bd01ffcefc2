# SPDX-License-Identifier: Apache-2.0
"""The units that ship for systemd: off until somebody enables a timer, and able to attach."""

from __future__ import annotations

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
UNITS = ROOT / "systemd"
JOBS = ("copy", "prune", "verify")
PROGRAM = "/opt/backup-dispatch/bin/backup-dispatch"

FORBIDS_SUDO = {
    # For a user without privileges each of these implies NoNewPrivileges=yes, see systemd.exec(5).
    "DynamicUser", "LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices", "ProtectClock",
    "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables",
    "RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID",
    "SystemCallArchitectures", "SystemCallFilter", "SystemCallLog",
}  # fmt: skip


def unit(name: str) -> ConfigParser:
    parsed = ConfigParser(interpolation=None, delimiters="=", comment_prefixes="#")
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read_string((UNITS / name).read_text())
    return parsed


def test_each_job_has_a_service_and_a_timer_that_are_installed() -> None:
    names = {f"backup-dispatch-{job}.{kind}" for job in JOBS for kind in ("service", "timer")}
    assert {path.name for path in UNITS.iterdir()} == names
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = setup["options.data_files"]["share/backup-dispatch/systemd"].split()
    assert set(listed) == {f"systemd/{name}" for name in names}


@pytest.mark.parametrize("job", JOBS)
def test_only_its_timer_starts_a_job_and_only_if_it_is_enabled(job: str) -> None:
    assert not unit(f"backup-dispatch-{job}.service").has_section("Install")
    timer = unit(f"backup-dispatch-{job}.timer")
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert timer["Timer"]["Persistent"] == "yes"


@pytest.mark.parametrize("job", JOBS)
def test_a_job_runs_as_cinder_and_may_use_sudo(job: str) -> None:
    service = unit(f"backup-dispatch-{job}.service")["Service"]
    assert (service["User"], service["Type"]) == ("cinder", "oneshot")
    assert service["NoNewPrivileges"] == "no"
    assert FORBIDS_SUDO.isdisjoint(service)
    # The helper that detaches must not get the signal as well.
    assert service["KillMode"] == "mixed"
    program, verb, *rest = service["ExecStart"].split()
    assert (program, verb, rest[-1]) == (PROGRAM, job, "$OPTIONS")
    optional = "" if job == "copy" else "-"
    assert service["EnvironmentFile"] == f"{optional}/etc/backup-dispatch/{job}.env"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        # The command may not be installed here, which systemd would object to.
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAM, "/bin/true"))
    units = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
