# SPDX-License-Identifier: Apache-2.0
"""A user-mode Linux over this machine's own root: a kernel of its own, as an ordinary process.

Its root is this machine's, read-only, under a layer in the guest's memory. So a command in it finds
every program and every Python package that is here, and changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from pathlib import Path

from demo.waiting import TookTooLong, until
from tests.services.install import LIST, sections

INIT = """\
#!/bin/sh
B=/bin/busybox; $B mount -t proc proc /proc; $B mount -t tmpfs tmpfs /mnt
$B insmod $KDIR/kernel/fs/overlayfs/overlay.ko
R=/mnt/r; $B mkdir -p /mnt/u /mnt/w $R
$B mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w $R
$B mount -t proc proc $R/proc; $B mount -t sysfs sysfs $R/sys; $B mount -t devtmpfs dev $R/dev
$B mkdir -p $R/dev/pts $R/dev/shm; $B mount -t devpts devpts $R/dev/pts
$B mount -t tmpfs shm $R/dev/shm; $B mount -t tmpfs run $R/run; $B mkdir -p $R/run/lock $R/old
$B mkdir -p $R/lib/modules; $B ln -sfn $KDIR $R/lib/modules/$($B uname -r)
$B mount -t hostfs out $R/mnt -o $W/out
cd $R; pivot_root . old; exec chroot . /bin/sh $W/main.sh
"""
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
    """The guest never came to its command; the text says why."""


class Guest:
    """Runs one shell script in a guest.

    :param directory: private; packages are unpacked into it. No colons in its path.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stopped = threading.Event()
        self.output = directory / "out"
        self.output.mkdir(parents=True)

    def unpacked(self, part: str) -> Path:
        """Unpack the packages of a section of the list, and return where they lie.

        :raises GuestDidNotRun: they could not be had.
        """
        (names,) = [
            names
            for title, names in sections(LIST.read_text()).items()
            if part in title and title.endswith("(unpacked)")
        ]
        place = self._directory / part
        place.mkdir()
        download = ["apt-get", "-q", "download", *names]
        try:
            done = subprocess.run(download, cwd=place, capture_output=True, text=True, check=False)
        except FileNotFoundError as exc:
            raise GuestDidNotRun(f"{exc}: this is no Debian") from exc
        if done.returncode != 0:
            raise GuestDidNotRun(f"{' '.join(download)}: {done.stderr.strip()}")
        for package in place.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, place], check=True)
            package.unlink()
        return place

    def run(self, script: str, *, seconds: float) -> tuple[int, str]:
        """Run a script; return its exit status and what the guest's console showed.

        In the guest, ``/mnt`` is `output`, the one folder that is written through.

        :raises GuestDidNotRun: it could not be started, or never got to the script.
        """
        kernel = self.unpacked("kernel")
        (modules,) = (kernel / "usr/lib/uml/modules").iterdir()
        for name, text in {"init.sh": INIT, "command.sh": script}.items():
            (self._directory / name).write_text(text)
            (self._directory / name).chmod(0o755)
        command = shlex.quote(str(self._directory / "command.sh"))
        (self._directory / "main.sh").write_text(MAIN.format(command=command))
        console = self.output / "console"
        self._boot(kernel, modules, console, seconds)
        shown = console.read_text(errors="replace")
        status = self.output / "exit"
        if not status.exists():
            if "guest: " in shown:
                return -1, f"not within {seconds:g} seconds\n{shown}"
            raise GuestDidNotRun(f"it did not start: {shown[-2000:]}")
        return int(status.read_text()), shown

    def stop(self) -> None:
        """End it at once, also before it has started; called by another thread than `run` is."""
        self._stopped.set()

    def _boot(self, kernel: Path, modules: Path, console: Path, seconds: float) -> None:
        with console.open("wb") as out:
            process = subprocess.Popen(
                [
                    kernel / "usr/bin/linux.uml", "mem=1536M", f"uml_dir={self.output}/",
                    "rootfstype=hostfs", "rootflags=/", "ro", f"init={self._directory}/init.sh",
                    "con=null", "con0=null,fd:1", "quiet",
                    f"W={self._directory}", f"KDIR={modules}",
                ],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                # Its memory is a file there, and must be on something that may be executed.
                env={**os.environ, "TMPDIR": "/dev/shm"},
                start_new_session=True,
            )  # fmt: skip
        try:
            until(
                "the guest",
                lambda: process.poll() is not None or self._stopped.is_set(),
                seconds=seconds,
            )
        except TookTooLong:
            pass  # what it has shown until now tells more
        finally:
            # Its helpers too.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
