# SPDX-License-Identifier: Apache-2.0
"""Free ports of the loopback interface."""

from __future__ import annotations

import contextlib
import random
import socket

HOST = "127.0.0.1"
# Below those that the kernel gives to clients: a server that is stopped and started again could
# otherwise find its port taken by a connection that has nothing to do with it.
FIRST, END, ROOM = 12000, 32000, 2000


def free_port() -> int:
    """Return a port that nobody listens on."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """Return the first of ``count`` ports in a row that nobody listens on.

    Each is given once in a process: the server that will take it has yet to be started.
    """
    for first in _not_given:
        if first % count == 0 and _all_free(range(first, first + count)):
            while next(_not_given) < first + count:
                pass
            return first
    raise OSError("no port of the loopback interface is free")


# From anywhere: another run on this machine may be choosing at the same moment.
_not_given = iter(range(random.randrange(FIRST, END - ROOM), END))


def _all_free(ports: range) -> bool:
    with contextlib.ExitStack() as held:
        try:
            for port in ports:
                held.enter_context(socket.create_server((HOST, port)))
        except OSError:
            return False
    return True
