# SPDX-License-Identifier: Apache-2.0
"""Free ports of the loopback interface."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator

HOST = "127.0.0.1"
# Below the kernel's ephemeral ports: a restarted server could
# otherwise find its port taken by an unrelated connection.
FIRST, END, BLOCK = 12000, 32000, 500


def free_port() -> int:
    """Return a free port."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """Return the first of ``count`` consecutive free ports.

    Each is returned once per process: the server that will use it is not started yet.
    """
    for first in _not_given:
        ends = first + count - 1  # in the same block
        if (
            first % count == 0
            and ends // BLOCK == first // BLOCK
            and _all_free(range(first, first + count))
        ):
            while next(_not_given) < first + count:
                pass
            return first
    raise OSError("no port of the loopback interface is free")


def _claimed() -> Iterator[int]:
    # Blocks in random order, each claimed until this process ends: another run on this machine may
    # be choosing at the same moment, and a chosen port is not listened on yet.
    blocks = list(range(FIRST, END, BLOCK))
    random.shuffle(blocks)
    for block in blocks:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0loopback-ports-{block}")
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        yield from range(block, block + BLOCK)


_claims: list[socket.socket] = []
_not_given = _claimed()


def _all_free(ports: range) -> bool:
    with contextlib.ExitStack() as held:
        try:
            for port in ports:
                held.enter_context(socket.create_server((HOST, port)))
        except OSError:
            return False
    return True
