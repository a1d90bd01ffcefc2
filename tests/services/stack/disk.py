# SPDX-License-Identifier: Apache-2.0
"""A program that attaches volumes as an ordinary user's host does, and writes or reads them.

Run by ``python -m datera_emulator.with_connector``; see ``tests/fixtures/answering_process.py``. An
order has what to write, as (offset, length, seed), and whether to read; the answer is
``{"digest": …}`` of the whole volume, or ``{"failed": …}``.
"""

from __future__ import annotations

import contextlib
import random
import socket
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.fixtures.answering_process import answer_all

PIECE = 4 * 2**20


def content(length: int, seed: int) -> Iterator[bytes]:
    """Yield the data for a seed: zeros for 0, else incompressible bytes."""
    source = random.Random(seed)
    for done in range(0, length, PIECE):
        size = min(PIECE, length - done)
        yield source.randbytes(size) if seed else bytes(size)


@contextlib.contextmanager
def opened(cloud: Any, brick: Any, volume_id: str) -> Iterator[Any]:
    """Attach a volume, yield it as a file, and detach it."""
    properties = brick.get_connector_properties("env", "127.0.0.1", False, False)
    storage = cloud.block_storage
    attachment = storage.create_attachment(
        volume_id,
        connector={**properties, "host": socket.gethostname(), "mountpoint": "/dev/vdz"},
        mode="rw",
    )
    try:
        connection = dict(attachment.connection_info)
        kind = connection["driver_volume_type"].upper()
        connector = brick.InitiatorConnector.factory(kind, "env", conn=connection)
        device = connector.connect_volume(connection)
        try:
            storage.complete_attachment(attachment)
            path = device["path"]
            # Some connectors return a file, others its path.
            with open(path, "r+b", buffering=0) if isinstance(path, str) else path as volume:
                yield volume
        finally:
            connector.disconnect_volume(connection, device)
    finally:
        storage.delete_attachment(attachment)


def work(volume: Any, order: dict[str, Any]) -> str:
    """Write and read as ordered; return the digest, empty if nothing is read."""
    from blake3 import blake3

    for offset, length, seed in order["writes"]:
        volume.seek(offset)
        for piece in content(length, seed):
            # None: a connector's own file, which writes everything or raises.
            done = volume.write(piece)
            while done is not None and done < len(piece):
                done += volume.write(piece[done:])
    if order["writes"]:
        volume.flush()
    if not order["read"]:
        return ""
    digest = blake3()
    volume.seek(0)
    while piece := volume.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


class Disks:
    """Carries out orders; slow initialization is done with the first."""

    def __init__(self) -> None:
        self._cloud: Any = None
        self._brick: Any = None

    def answer(self, order: dict[str, Any]) -> dict[str, str]:
        """Carry out one."""
        try:
            if self._brick is None:
                self._prepare(order)
            with opened(self._cloud, self._brick, order["volume"]) as volume:
                return {"digest": work(volume, order)}
        except Exception:
            return {"failed": traceback.format_exc()}

    def _prepare(self, order: dict[str, Any]) -> None:
        import openstack

        from demo.attachment import _brick

        self._cloud = openstack.connect(
            load_yaml_config=False, load_envvars=False, **order["cloud"]
        )
        self._brick = _brick(Path(order["locks"]))


if __name__ == "__main__":
    answer_all(Disks().answer)
