# SPDX-License-Identifier: Apache-2.0
"""A guest on this machine's root filesystem, so that a test has a kernel of its own.

Its root is this machine's, read-only, with an overlay in the guest's memory. So a command in it has
every program and every Python package of this machine, and changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from demo.waiting import TookTooLong, until
from tests.services.install import LIST, sections

DOWNLOAD_SECONDS = 600.0
LAYERS = """\
R=$LAYER/root; $B mkdir -p $LAYER/upper $LAYER/work $R
$B mount -t overlay overlay -o lowerdir=$LOWER,upperdir=$LAYER/upper,workdir=$LAYER/work $R
$B mount -t proc proc $R/proc; $B mount -t sysfs sysfs $R/sys; $B mount -t devtmpfs dev $R/dev
$B mkdir -p $R/dev/pts $R/dev/shm; $B mount -t devpts devpts $R/dev/pts
$B mount -t tmpfs shm $R/dev/shm; $B mount -t tmpfs run $R/run; $B mkdir -p $R/run/lock $R/old
$B mkdir -p $R/lib/modules; $B ln -sfn $MODULES $R/lib/modules/$($B uname -r)
"""
"""The first steps of an init: with busybox in ``$B``, create the root ``$R`` over ``$LOWER``."""

MAIN = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8; unset TMPDIR
echo "guest: $(uname -r)"
sh {command} </dev/null
echo $? >/mnt/exit
sync
busybox poweroff -f
"""


class GuestDidNotRun(Exception):
    """The guest did not reach its command; the text says why."""


class Guest(ABC):
    """Runs one shell script in a guest.

    :param directory: private; packages are unpacked into it. No colons in its path.
    :ivar output: in the guest it is ``/mnt``, the one folder that is written through.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "out"
        self.output.mkdir(parents=True)
        self._stopped = threading.Event()

    @abstractmethod
    def prepare(self) -> list[str]:
        """Create what the guest boots from, and return the command that boots it.

        Its init creates the root as in `LAYERS`, and continues with ``main.sh`` of the directory.

        :raises GuestDidNotRun: something that it needs is not available.
        """

    def run(self, script: str, *, seconds: float) -> tuple[int, str]:
        """Run a script; return its exit status and what the guest's console showed.

        :raises GuestDidNotRun: it could not be started, or did not reach the script.
        """
        command = self.prepare()
        script_path = self.write("command.sh", script)
        self.write("main.sh", MAIN.format(command=shlex.quote(str(script_path))))
        console = self.output / "console"
        self._boot(command, console, seconds)
        shown = console.read_text(errors="replace")
        status = self.output / "exit"
        if not status.exists():
            if "guest: " in shown:
                return -1, f"not within {seconds:g} seconds\n{shown}"
            raise GuestDidNotRun(f"it did not start: {shown[-2000:]}")
        return int(status.read_text()), shown

    def stop(self) -> None:
        """Kill it, even before it has started; called from another thread than `run`."""
        self._stopped.set()

    def write(self, name: str, text: str) -> Path:
        """Write a program into the directory."""
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def unpacked(self, part: str) -> Path:
        """Unpack the packages of a section of the list, and return their folder.

        :raises GuestDidNotRun: they are not available.
        """
        return self.unpack(part, listed(f"unpacked: {part}"))

    def unpack(self, part: str, names: Sequence[str]) -> Path:
        """Unpack packages, and return their folder.

        :raises GuestDidNotRun: they are not available, or the guest was stopped.
        """
        if self._stopped.is_set():
            raise GuestDidNotRun("it was stopped before it had started")
        place = self.directory / part
        place.mkdir()
        download = ["apt-get", "-q", "download", *names]
        try:
            done = subprocess.run(
                download, cwd=place, capture_output=True, text=True, check=False,
                timeout=DOWNLOAD_SECONDS,
            )  # fmt: skip
        except FileNotFoundError as exc:
            raise GuestDidNotRun(f"{exc}: this is no Debian") from exc
        except subprocess.TimeoutExpired as exc:
            raise GuestDidNotRun(str(exc)) from exc
        if done.returncode != 0:
            raise GuestDidNotRun(f"{' '.join(download)}: {done.stderr.strip()}")
        for package in place.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, place], check=True)
            package.unlink()
        return place

    def _boot(self, command: Sequence[str], console: Path, seconds: float) -> None:
        with console.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                # The memory of some is a file there, which needs a filesystem without noexec.
                env={**os.environ, "TMPDIR": "/dev/shm"},
                start_new_session=True,
            )
        try:
            until(
                "the guest",
                lambda: process.poll() is not None or self._stopped.is_set(),
                seconds=seconds,
            )
        except TookTooLong:
            pass  # its output so far is more informative
        finally:
            # Including its helpers.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def listed(part: str) -> list[str]:
    """Return the packages of the one section of the list whose title ends with this part."""
    found = sections(LIST.read_text())
    (names,) = [names for title, names in found.items() if title.endswith(f"({part})")]
    return names
