# SPDX-License-Identifier: Apache-2.0
"""An os-brick connector for the transport ``tgt`` that needs no initiator in the kernel.

QEMU's storage daemon logs in with libiscsi and exports the volume as a file through FUSE. It needs
Debian's packages ``qemu-system-common``, ``qemu-block-extra`` and ``fuse3``, and ``/dev/fuse``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from datera_emulator.rules.admission import LoginRefused
from datera_emulator.target.brick import FileConnector
from datera_emulator.target.login import PortalLogin

_PROGRAM = "qemu-storage-daemon"
_SECONDS = 120.0
_END = 'kill "$0" 2>/dev/null; while kill -0 "$0" 2>/dev/null; do sleep 0.05; done'
_REFUSALS = {
    "Target not found": "target-not-found",  # tgtd says so also where the ACL is against it
    "Authentication failure": "authentication-failed",
    "Authorization failure": "initiator-not-allowed",
}


class IscsiLogin(PortalLogin):
    """A session with a real target, exported as a file.

    :raises LoginRefused: the target refused the login.
    :raises OSError: the portal does not answer, or QEMU is not installed.
    """

    def __init__(
        self,
        portal: str,
        *,
        initiator: str,
        target: str,
        lun: int,
        user: str | None = None,
        secret: str | None = None,
    ) -> None:
        self.target = target
        self.portal = portal
        self.id = uuid.uuid4().hex
        self._directory = Path(tempfile.mkdtemp(prefix="iscsi-"))
        volume = self._directory / "volume"
        volume.touch(mode=0o600)
        self.path = str(volume)
        # With unmap: otherwise QEMU writes zeros where a hole is requested.
        disk = (
            f"driver=iscsi,node-name=disk,transport=tcp,portal={portal},target={target}"
            f",lun={lun},initiator-name={initiator},discard=unmap"
        )
        try:
            words = []
            if user:
                kept = self._directory / "secret"
                kept.touch(mode=0o600)
                kept.write_text(secret or "")
                words = ["--object", f"secret,id=chap,file={kept}"]
                disk += f",user={user},password-secret=chap"
            export = f"type=fuse,id=file,node-name=disk,mountpoint={volume},writable=on"
            self._start([*words, "--blockdev", disk, "--export", export])
            self.size = os.stat(volume).st_size
        except BaseException:
            self.end()
            raise

    def alive(self) -> bool:
        """Return whether the daemon still runs; it logs in again automatically."""
        pid = self._pid()
        return pid is not None and Path(f"/proc/{pid}").exists()

    def read_size(self) -> int:
        """Return the volume's size at the login: a new one needs a new login."""
        return self.size

    def end(self) -> None:
        """Log out; the file is removed."""
        pid = self._pid()
        if pid is not None:
            # In a program of its own, because this may run in a native thread of a process in
            # which eventlet has replaced sleep and the like.
            subprocess.run(["sh", "-c", _END, str(pid)], timeout=_SECONDS, check=False)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, words: list[str]) -> None:
        done = subprocess.run(
            [_PROGRAM, "--daemonize", "--pidfile", str(self._directory / "pid"), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            told = done.stderr.decode(errors="replace").strip().rpartition("iSCSI: ")[2]
            for text, reason in _REFUSALS.items():
                if text in told:
                    raise LoginRefused(reason, told)
            raise OSError(told)

    def _pid(self) -> int | None:
        try:
            return int((self._directory / "pid").read_text())
        except (OSError, ValueError):
            return None


class LibiscsiConnector(FileConnector):
    """What os-brick makes for protocol iSCSI while it is installed; the file is a real volume."""

    login_class = IscsiLogin
