# SPDX-License-Identifier: Apache-2.0
"""Servers that a test may kill."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from demo.servers.processes import STOP_SECONDS, Server, Servers


class Daemons(Servers):
    """The servers of a cloud, to be stopped in reverse order."""

    def kill(self, server: Server) -> None:
        """Kill a server and all its children, as ``kill -9`` does."""
        # It may have exited already.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        self.dismiss(server)

    @contextlib.contextmanager
    def silent(self, server: Server) -> Iterator[None]:
        """Pause a server during the block; requests wait."""
        os.killpg(server.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(server.pid, signal.SIGCONT)

    def dismiss(self, server: Server, *, seconds: float = STOP_SECONDS) -> None:
        """Stop one server, as its init system does, and forget it."""
        server.stop(seconds=seconds)
        self._servers.remove(server)
