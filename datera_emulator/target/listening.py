# SPDX-License-Identifier: Apache-2.0
"""Listens at a portal's address, for any protocol."""

from __future__ import annotations

import threading
from socketserver import BaseRequestHandler, ThreadingTCPServer

PORT = 3260
"""iSCSI's port; the array's API has no port, so drivers always use this one."""


class PortalListener(ThreadingTCPServer):
    """A thread for each connection to one address.

    :ivar address: of the portal, in 127.0.0.0/8.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: str, handler: type[BaseRequestHandler]) -> None:
        self.address = address
        super().__init__((address, PORT), handler)
        self._thread = threading.Thread(
            target=self.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"datera-emulator-portal-{address}",
            daemon=True,
        )
        self._started = False

    def start(self) -> None:
        """Serve, in a thread."""
        self._started = True
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and release the address."""
        if self._started:
            self.shutdown()
            self._thread.join()
        self.server_close()
