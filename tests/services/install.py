#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Install what the tests on real servers need: Debian's packages, and a virtual environment.

``tests/services/install.py VENV`` needs only Python 3. What is installed already is not
changed. Packages need root, or passwordless sudo; their services are not started. With
``--section TITLE`` only the packages of that section of the list are installed.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LIST = PROJECT / ".ci" / "debian-packages"
LOCK = PROJECT / "locks" / "services.txt"
LOCKS = (LOCK, PROJECT / "locks" / "cinder-29.txt")
INSTALL = PROJECT / "locks" / "install.py"
DEVELOPERS = PROJECT / ".venv"
POLICY = Path("/usr/sbin/policy-rc.d")
BINDINGS = Path("/usr/lib/python3/dist-packages")
# In the titles of sections that are not installed from the start.
LATER = ("(unpacked: ", "(when needed: ")
# Seconds to wait for the package manager's lock: another one may be running.
APT = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600")


class CannotInstall(Exception):
    """Something is missing that this program cannot install."""


def sections(text: str) -> dict[str, list[str]]:
    """Return the packages of a list, by section."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        word = line.partition("#")[0].strip()
        if word.startswith("["):
            found[word.strip("[]")] = []
        elif word:
            found[list(found)[-1]].append(word)
    return found


def missing(packages: Iterable[str]) -> list[str]:
    """Return which of the packages are not installed."""
    wanted = list(packages)
    # It fails if it does not know one of them.
    known = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    return [name for name in wanted if f"{name} installed" not in known]


def root_command() -> list[str]:
    """Return the prefix of a command that only root may run.

    :raises CannotInstall: neither root, nor sudo without a password.
    """
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
        if allowed.returncode == 0:
            return ["sudo", "-n"]
    raise CannotInstall("be root, or let this user run sudo without a password")


@contextmanager
def nothing_started(root: list[str]) -> Iterator[None]:
    """Prevent the packages' services from starting: the tests start their own."""
    if POLICY.exists():  # its owner has decided already
        yield
        return
    script = "#!/bin/sh\nexit 101\n"
    write = [*root, "sh", "-c", f"cat >{POLICY} && chmod 755 {POLICY}"]
    subprocess.run(write, input=script, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run([*root, "rm", "-f", str(POLICY)], check=True)


def install_packages(names: list[str]) -> None:
    """Install packages from Debian.

    :raises CannotInstall: a permission is missing, or this is not Debian.
    """
    told = f"missing from this machine: {' '.join(names)}"
    if not shutil.which("apt-get"):
        raise CannotInstall(f"{told}; this is no Debian, so install them by hand")
    try:
        root = root_command()
    except CannotInstall as exc:
        raise CannotInstall(f"{told}; to have them installed, {exc}") from exc
    print(f"installing from Debian: {' '.join(names)}", flush=True)
    quiet = [*root, "env", "DEBIAN_FRONTEND=noninteractive"]
    try:
        with nothing_started(root):
            subprocess.run([*quiet, *APT, "update"], check=True, stdout=subprocess.DEVNULL)
            subprocess.run(
                [*quiet, *APT, "install", "--no-install-recommends", *names],
                check=True,
                stdout=subprocess.DEVNULL,
            )
    except subprocess.CalledProcessError as exc:
        raise CannotInstall(f"{told}; apt-get failed, see above") from exc


def bindings() -> list[Path]:
    """Return where Debian's bindings of Ceph for this Python are, if they are installed."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return [BINDINGS / f"{name}{suffix}" for name in ("rados", "rbd")]


def make_environment(venv: Path) -> None:
    """Create the virtual environment, or recreate it if its lock file has changed.

    :raises CannotInstall: Debian's bindings of Ceph are for another Python.
    """
    python = sys.executable
    lacking = [str(path) for path in bindings() if not path.exists()]
    if lacking:
        raise CannotInstall(
            f"{python} cannot load Debian's bindings of Ceph ({lacking[0]} is not there): name "
            "Debian's own Python, make PYTHON=/usr/bin/python3 test-services"
        )
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    made_from = "".join(path.read_text() for path in LOCKS) + python
    if not _is_made(venv / ".installed", made_from):
        print(f"making {venv.name} from {LOCK.name}", flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        if has_the_lock(DEVELOPERS, python):
            shutil.copytree(DEVELOPERS, venv, symlinks=True)
        subprocess.run([python, "-m", "venv", str(venv)], check=True)
        name_interpreter(venv, DEVELOPERS)
        subprocess.run([pip[0], str(INSTALL), "--requirement", str(LOCK)], check=True)
        packages = next((venv / "lib").glob("python3*/site-packages"))
        for path in bindings():
            (packages / path.name).symlink_to(path)
        subprocess.run([str(venv / "bin" / "python"), "-c", "import rados, rbd"], check=True)
        (venv / ".installed").write_text(made_from)
    described = (PROJECT / "setup.cfg").read_text()
    if not _is_made(venv / ".project", described):
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", str(PROJECT)], check=True)
        (venv / ".project").write_text(described)


def has_the_lock(venv: Path, python: str) -> bool:
    """Whether an environment of this Python has the packages of the newest Cinder's lock.

    It has most of what is needed, and copying takes a tenth of the time of pip.
    """
    marker, described = venv / ".installed", venv / "pyvenv.cfg"
    if not marker.exists() or marker.stat().st_mtime < LOCKS[1].stat().st_mtime:
        return False
    fields = dict(line.split(" = ", 1) for line in described.read_text().splitlines())
    try:
        at_home = os.path.samefile(fields["home"], Path(python).resolve().parent)
    except OSError:  # the Python that it was made from is gone
        return False
    return at_home and fields["version"] == platform.python_version()


def name_interpreter(venv: Path, copied_from: Path) -> None:
    """Let the programs of a copied environment use it, and not the original.

    A program names its interpreter in its first line; where that would be too long for the kernel,
    pip makes it a shell script that names it in the second.
    """
    theirs, ours = (os.fsencode(one / "bin" / "python") for one in (copied_from, venv))
    for program in (venv / "bin").iterdir():
        if program.is_symlink() or not program.is_file():
            continue
        lines = program.read_bytes().split(b"\n", 2)
        if lines[0].startswith(b"#!"):
            head = [line.replace(theirs, ours) for line in lines[:2]]
            program.write_bytes(b"\n".join([*head, *lines[2:]]))


def _is_made(marker: Path, made_from: str) -> bool:
    return marker.exists() and marker.read_text() == made_from


def install_lacking(wanted: list[str]) -> None:
    """Install those of the packages that are not there.

    :raises CannotInstall: a permission is missing, or this is not Debian.
    """
    if lacking := missing(wanted):
        install_packages(lacking)


def section(title: str) -> list[str]:
    """Return the packages of one section of the list.

    :raises CannotInstall: it has no such section.
    """
    listed = sections(LIST.read_text())
    if title not in listed:
        known = "; ".join(listed)
        raise CannotInstall(f"{LIST.name} has no section {title!r}, but these: {known}")
    return listed[title]


def install_all(venv: str) -> None:
    """Install the packages and make the virtual environment.

    :raises CannotInstall: see above.
    """
    listed = sections(LIST.read_text())
    from_the_start = [name for name in listed if not any(word in name for word in LATER)]
    install_lacking([package for name in from_the_start for package in listed[name]])
    root_command()  # Cinder needs it for privsep, even if nothing is missing.
    make_environment(Path(venv).absolute())


def main(*words: str) -> int:
    """Install what is asked for and return the exit status."""
    try:
        match words:
            case ("--section", title):
                install_lacking(section(title))
            case (venv,):
                install_all(venv)
            case _:
                print("usage: install.py VENV | --section TITLE", file=sys.stderr)
                return 2
    except CannotInstall as exc:
        print(f"{Path(__file__).name}: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
