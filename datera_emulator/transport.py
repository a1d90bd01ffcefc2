# SPDX-License-Identifier: Apache-2.0
"""How hosts reach volumes: the port that each way implements."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """Listens on the portals of a cluster, for as long as it is started.

    Changes of targets need no call: an implementation asks the cluster at each login, or hears
    through ``Cluster.on_commit``; and through :class:`~datera_emulator.sessions.Sessions` when a
    session is dropped.
    """

    def start(self) -> None:
        """Listen, and tell the cluster the portals' addresses.

        :raises OSError: no address could be had.
        """

    def stop(self) -> None:
        """Stop listening and end every session."""
