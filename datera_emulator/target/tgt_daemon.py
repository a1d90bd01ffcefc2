# SPDX-License-Identifier: Apache-2.0
"""A tgtd of this process's own: a real iSCSI target in user space, controlled from here.

It needs Debian's package ``tgt``. Its control socket is in a private directory, and it listens on
one loopback port that only :mod:`.tgt_relay` uses.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

_HOST = "127.0.0.1"
_SECONDS = 30.0
_POLL = 0.05
_LAST_SECONDS = 5.0


@dataclass(frozen=True)
class Target:
    """A target: its LUNs' files and sizes, the allowed initiators, the CHAP credentials."""

    iqn: str
    luns: tuple[tuple[str, int], ...]
    initiators: frozenset[str] | None
    user: str = ""
    secret: str = field(default="", repr=False)


class TgtDaemon:
    """Runs tgtd, and creates and removes targets.

    tgtd's own LUN 0 is always its controller, so the first volume is LUN 1 here.
    """

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers: dict[str, int] = {}
        self._users: dict[str, str] = {}
        self._last_number = 0
        self.port = 0

    def start(self) -> None:
        """Start it; returns once it accepts commands.

        After its death it listens on the same port again, without any target.

        :raises OSError: it is not installed, or fails to start.
        """
        if shutil.which("tgtd", path=_path()) is None:
            raise FileNotFoundError("tgtd is not installed; Debian's package is tgt")
        self._numbers.clear()
        self._users.clear()
        self._directory = self._directory or Path(tempfile.mkdtemp(prefix="tgtd-"))
        self.port = self.port or _free_port()
        self._process = subprocess.Popen(
            ["tgtd", "-f", "--iscsi", f"portal={_HOST}:{self.port}"],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self._directory / "log").open("wb"),
        )
        waiting = threading.Event()
        for _ in range(int(_SECONDS / _POLL)):
            if self._ask("--op", "show", "--mode", "sys").returncode == 0:
                return
            if self._process.poll() is not None:
                break
            waiting.wait(_POLL)
        told = (self._directory / "log").read_text(errors="replace").strip()
        self.stop()
        raise OSError(f"tgtd failed to start: {told}")

    def stop(self) -> None:
        """Remove the targets and end it."""
        for iqn in list(self._numbers):
            self.remove(iqn)
        if self._process is not None:
            # It exits only on this command, and only without targets.
            self._ask("--op", "delete", "--mode", "system")
            try:
                self._process.wait(_LAST_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def await_end(self) -> None:
        """Return once it has ended: it was stopped, or it died."""
        if self._process is not None:
            self._process.wait()

    def add(self, target: Target) -> None:
        """Serve a target.

        :raises OSError: tgtd refuses.
        """
        self._last_number += 1
        number = str(self._last_number)
        self._order("--op", "new", "--mode", "target", "--tid", number, "-T", target.iqn)
        self._numbers[target.iqn] = self._last_number
        for lun, (path, _size) in enumerate(target.luns, start=1):
            place = ("--tid", number, "--lun", str(lun))
            self._order("--op", "new", "--mode", "logicalunit", *place, "-b", path)
            thin = ("--params", "thin_provisioning=1")
            self._order("--op", "update", "--mode", "logicalunit", *place, *thin)
        if target.user:
            self._know(target.user, target.secret)
            who = ("--tid", number, "--user", target.user)
            self._order("--op", "bind", "--mode", "account", *who)
        binding = ("--op", "bind", "--mode", "target", "--tid", number)
        if target.initiators is None:
            self._order(*binding, "-I", "ALL")
        for initiator in sorted(target.initiators or ()):
            self._order(*binding, "-Q", initiator)

    def remove(self, iqn: str) -> None:
        """Stop serving a target, even with sessions."""
        number = str(self._numbers.pop(iqn))
        self._ask("--op", "delete", "--mode", "target", "--tid", number, "--force")

    def change_initiators(self, before: Target, after: Target) -> None:
        """Change the allowed initiators of an existing target.

        :raises OSError: tgtd refuses.
        """
        had, have = before.initiators or frozenset(), after.initiators or frozenset()
        where = ("--mode", "target", "--tid", str(self._numbers[after.iqn]))
        for initiator in sorted(have - had):
            self._order("--op", "bind", *where, "-Q", initiator)
        for initiator in sorted(had - have):
            self._order("--op", "unbind", *where, "-Q", initiator)

    def _know(self, user: str, secret: str) -> None:
        """Create an account; tgtd has one per name, for all targets."""
        if self._users.get(user) == secret:
            return
        if user in self._users:
            self._order("--op", "delete", "--mode", "account", "--user", user)
        words = ("--op", "new", "--mode", "account", "--user", user, "--password", secret)
        self._order(*words, hidden=secret)
        self._users[user] = secret

    def _order(self, *words: str, hidden: str = "") -> None:
        done = self._ask(*words)
        if done.returncode != 0:
            told = " ".join(word for word in words if word != hidden or not hidden)
            raise OSError(f"tgtadm {told}: {done.stderr.decode(errors='replace').strip()}")

    def _ask(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["tgtadm", "--lld", "iscsi", *words],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": _path(), "TGT_IPC_SOCKET": f"{self._directory}/socket"}


def _path() -> str:
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as found:
        return int(found.getsockname()[1])
