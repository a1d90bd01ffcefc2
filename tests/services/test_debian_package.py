# SPDX-License-Identifier: Apache-2.0
"""The Debian package, built by Debian's own tools from a copy of the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = "usr/lib/python3/dist-packages"
PROGRAMS = ("backup-dispatch", "datera-backup", "datera-emulator")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's files, with what its maintainer scripts would run in ``DEBIAN``."""
    folder = tmp_path_factory.mktemp("debian")
    left_out = shutil.ignore_patterns(
        ".*", "*.egg-info", "build", "dist", "__pycache__", "_build", "tests", "debian"
    )
    sources = Path(shutil.copytree(ROOT, folder / "backup-dispatch", ignore=left_out))
    shutil.copytree(ROOT / "deploy" / "debian", sources / "debian")
    # Debian's Python builds it, not the one that the tests run with.
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "LC_ALL": "C"}
    done = subprocess.run(
        ["dpkg-buildpackage", "-us", "-uc", "-b"],
        cwd=sources, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    (package,) = folder.glob("*.deb")
    files = folder / "files"
    subprocess.run(["dpkg-deb", "--raw-extract", package, files], check=True, timeout=60)
    return files


def test_package_brings_modules_commands_and_what_belongs_to_them(unpacked: Path) -> None:
    for module in ("backup_dispatch", "datera_backup", "datera_emulator", "datera_volume"):
        assert (unpacked / MODULES / module / "__init__.py").is_file()
    assert {path.name for path in (unpacked / "usr/bin").iterdir()} == set(PROGRAMS)
    share = unpacked / "usr/share"
    for name in PROGRAMS:
        assert (share / "bash-completion/completions" / name).is_file()
        assert (share / f"zsh/vendor-completions/_{name}").is_file()
        assert (share / f"fish/vendor_completions.d/{name}.fish").is_file()
    assert (share / "man/man8/backup-dispatch-prune.8.gz").is_file()
    assert (share / "backup-dispatch/backup-dispatch.conf.sample").is_file()
    assert not (share / "backup-dispatch/systemd").exists()


def test_units_start_the_package_s_command_and_nothing_enables_them(unpacked: Path) -> None:
    units = sorted((unpacked / "usr/lib/systemd/system").iterdir())
    assert [path.name for path in units] == sorted(os.listdir(ROOT / "systemd"))
    for path in units:
        assert "/opt/" not in path.read_text()
    assert (
        "ExecStart=/usr/bin/backup-dispatch prune"
        in (unpacked / "usr/lib/systemd/system/backup-dispatch-prune.service").read_text()
    )
    scripts = "".join(
        (unpacked / "DEBIAN" / name).read_text()
        for name in ("postinst", "prerm", "postrm", "preinst")
        if (unpacked / "DEBIAN" / name).exists()
    )
    assert "deb-systemd-helper enable" not in scripts
    assert "deb-systemd-invoke start" not in scripts


def test_package_depends_on_a_cinder_that_is_supported(unpacked: Path) -> None:
    control = (unpacked / "DEBIAN" / "control").read_text()
    (line,) = [one for one in control.splitlines() if one.startswith("Depends: ")]
    needs = line.removeprefix("Depends: ").split(", ")
    assert "python3-cinder (>= 2:25)" in needs
    assert {"python3-cliff", "python3-oslo.config", "python3-zstandard"} <= set(needs)
