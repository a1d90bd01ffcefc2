# SPDX-License-Identifier: Apache-2.0
"""Servers that a test may kill."""

from __future__ import annotations

import contextlib
import os
import signal

from demo.processes import STOP_SECONDS, Server, Servers


class Daemons(Servers):
    """The servers of a cloud, to be stopped in reverse order."""

    def kill(self, server: Server) -> None:
        """End a server and all that it started, at once, as ``kill -9`` does."""
        # It may have ended by itself.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        self.dismiss(server)

    def dismiss(self, server: Server, *, seconds: float = STOP_SECONDS) -> None:
        """Stop one server, as its init system does, and forget it."""
        server.stop(seconds=seconds)
        self._servers.remove(server)
