# SPDX-License-Identifier: Apache-2.0
"""How hosts access volumes: the interface that each transport implements."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """Listens on the portals of a cluster, for as long as it is started.

    Changes of targets need no call: an implementation reads the cluster at each login, or is
    notified through ``Cluster.on_commit``; and through its sessions, :mod:`datera_emulator.state`,
    when a session is dropped.
    """

    def start(self) -> None:
        """Listen, and register the portals' addresses in the cluster.

        :raises OSError: no address is free.
        """

    def stop(self) -> None:
        """Stop listening and end every session."""
