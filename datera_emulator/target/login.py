# SPDX-License-Identifier: Apache-2.0
"""The initiator's side of a ``file`` portal: one connection is one session."""

from __future__ import annotations

import _socket
import json
import os
import socket

from datera_emulator.documents import Document
from datera_emulator.rules.admission import LoginRefused

_TIMEOUT = 10.0


class PortalLogin:
    """A session with a target.

    :param portal: ``address:port``.
    :raises LoginRefused: the target refused the login.
    :raises OSError: the portal does not answer.
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
        address, _, port = portal.rpartition(":")
        self.target = target
        self.portal = portal
        self._socket = socket.create_connection((address, int(port)), timeout=_TIMEOUT)
        self._lines = self._socket.makefile("rb")
        try:
            wish = {"initiator": initiator, "target": target, "lun": lun}
            if user:
                wish |= {"user": user, "secret": secret or ""}
            answer = self._ask({"login": wish})
            if "refused" in answer:
                raise LoginRefused(answer["refused"], answer["message"])
            self.id: str = answer["session"]
            self.path: str = answer["path"]
            self.size: int = answer["size"]
        except BaseException:
            self._close()
            raise

    def alive(self) -> bool:
        """Return whether the target still holds the session."""
        if self._socket.fileno() < 0:
            return False
        # The C-level socket, never blocking: this is asked from native threads of processes whose
        # own socket and select modules eventlet has replaced.
        raw = _socket.socket(fileno=os.dup(self._socket.fileno()))
        try:
            # Between requests a target sends nothing, so anything to read is its end of file.
            raw.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            raw.close()
        return False

    def read_size(self) -> int:
        """Return the volume's size now.

        :raises OSError: the session has ended.
        """
        self.size = int(self._ask({"size": {}})["size"])
        return self.size

    def end(self) -> None:
        """Log out; a session that has ended already is ignored."""
        try:
            if self.alive():
                self.read_size()
                self._keep_length()
                self._ask({"logout": {}})
        except OSError:
            return
        finally:
            self._close()

    def _keep_length(self) -> None:
        """Make the file as long as the volume again, without data.

        A program that treats the path as a file truncates it, as ``qemu-img convert`` does before
        it writes; a device keeps its size.
        """
        if os.stat(self.path).st_size < self.size:
            os.truncate(self.path, self.size)

    def _ask(self, request: Document) -> Document:
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        line = self._lines.readline()
        if not line:
            raise ConnectionResetError(f"portal {self.portal} closed the connection")
        answer: Document = json.loads(line)
        return answer

    def _close(self) -> None:
        self._lines.close()
        self._socket.close()
