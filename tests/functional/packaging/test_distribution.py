# SPDX-License-Identifier: Apache-2.0
"""What an operator installs: it builds, says what it is, and brings nothing that it should not."""

from __future__ import annotations

import email
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
from fasteners import InterProcessLock

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = {"backup_dispatch", "datera_backup", "datera_emulator", "datera_volume"}
BESIDE = {
    "completion/bash/*": "bash-completion/completions",
    "completion/fish/*": "fish/vendor_completions.d",
    "completion/zsh/*": "zsh/site-functions",
    "etc/*.sample": "backup-dispatch",
    "man/*.1": "man/man1",
    "man/*.8": "man/man8",
    "systemd/*": "backup-dispatch/systemd",
}
"""What goes into the environment's folder ``share``, and where."""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copied(folder: Path) -> Path:
    """A copy of the tree, as a clone has it: building must not write into the checkout."""
    left_out = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "__pycache__", "_build")
    return Path(shutil.copytree(ROOT, folder / "tree", ignore=left_out))


@pytest.fixture(scope="module")
def wheel(run_directory: Path) -> Path:
    """The wheel with the source archive beside it, made once for all the processes of a run."""
    made = run_directory / "distribution"
    with InterProcessLock(run_directory / "distribution.lock"):
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=run_directory) as folder:
                tree = copied(Path(folder))
                run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "out", cwd=tree)
                (tree / "out").rename(made)
    (built,) = made.glob("*.whl")
    return built


def test_the_wheel_holds_the_packages_that_ship_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == SHIPPED
    beside = {name.partition(".data/data/share/")[2] for name in names if ".data/" in name}
    assert beside == {
        f"{folder}/{path.name}" for source, folder in BESIDE.items() for path in ROOT.glob(source)
    }
    assert len(beside) > 30


def test_twine_accepts_the_wheel_and_the_source_archive(wheel: Path) -> None:
    archives = [str(path) for path in wheel.parent.iterdir()]
    assert {Path(path).suffix for path in archives} == {".whl", ".gz"}
    run(sys.executable, "-m", "twine", "check", "--strict", *archives, cwd=wheel.parent)


def test_the_command_of_older_documentation_builds_too(tmp_path: Path) -> None:
    sources = copied(tmp_path)
    run(sys.executable, "setup.py", "-q", "sdist", "bdist_wheel", cwd=sources)
    assert {path.suffix for path in (sources / "dist").iterdir()} == {".whl", ".gz"}


def test_beside_the_locked_cinder_nothing_else_is_installed_or_changed(wheel: Path) -> None:
    # Without an index, pip fails as soon as a requirement is not satisfied by what is there.
    report = run(
        sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-index",
        "--report", "-", wheel, cwd=wheel.parent,
    )  # fmt: skip
    installed = {one["metadata"]["name"] for one in json.loads(report)["install"]}
    assert installed <= {"backup-dispatch"}


def test_every_entry_point_imports_from_an_empty_directory(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
        "--target", target, wheel, cwd=tmp_path,
    )  # fmt: skip
    (metadata,) = target.glob("*.dist-info")
    points = ConfigParser()
    points.optionxform = str  # type: ignore[assignment, method-assign]
    points.read(metadata / "entry_points.txt")
    # Cinder's own drivers need the client libraries of their servers, which may be absent here.
    ours = [
        value
        for section in points.sections()
        for value in points[section].values()
        if value.split(".")[0] in SHIPPED
    ]
    assert len(ours) >= 5
    check = (
        "import sys, importlib\n"
        "from cinder import objects; objects.register_all()\n"
        f"for point in {ours!r}:\n"
        "    module, _, name = point.partition(':')\n"
        "    found = importlib.import_module(module)\n"
        f"    assert found.__file__.startswith({str(target)!r}), found.__file__\n"
        "    assert callable(getattr(found, name)), point\n"
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    run(
        sys.executable, "-c", f"import sys; sys.path.insert(0, {str(target)!r})\n{check}", cwd=empty
    )


def test_the_version_is_said_once(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
    version = metadata["Version"]
    assert f"version = {version}" in (ROOT / "setup.cfg").read_text()
    for house in SHIPPED:
        for source in (ROOT / house).rglob("*.py"):
            assert version not in source.read_text(), source
