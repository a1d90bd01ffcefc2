# SPDX-License-Identifier: Apache-2.0
"""A program that attaches a volume as an ordinary user's host does, and writes or reads it.

Run by ``python -m datera_emulator.with_connector``. The order is JSON on standard input, with what
to write as (offset, length, seed); on standard output comes ``{"digest": …}`` of the whole volume.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

PIECE = 4 * 2**20


def content(length: int, seed: int) -> Iterator[bytes]:
    """Yield what a seed stands for: zeros for 0, else bytes that do not compress."""
    source = random.Random(seed)
    for done in range(0, length, PIECE):
        size = min(PIECE, length - done)
        yield source.randbytes(size) if seed else bytes(size)


@contextlib.contextmanager
def opened(cloud: Any, volume_id: str, locks: Path) -> Iterator[Any]:
    """Attach a volume, hand it out as a file, and detach it."""
    from demo.attachment import _brick

    brick = _brick(locks)
    properties = brick.get_connector_properties("env", "127.0.0.1", False, False)
    storage = cloud.block_storage
    attachment = storage.create_attachment(
        volume_id,
        connector={**properties, "host": socket.gethostname(), "mountpoint": "/dev/vdz"},
        mode="rw",
    )
    connection = dict(attachment.connection_info)
    kind = connection["driver_volume_type"].upper()
    connector = brick.InitiatorConnector.factory(kind, "env", conn=connection)
    device = connector.connect_volume(connection)
    try:
        storage.complete_attachment(attachment)
        path = device["path"]
        # Some connectors hand out a file, others its name.
        with open(path, "r+b", buffering=0) if isinstance(path, str) else path as volume:
            yield volume
    finally:
        connector.disconnect_volume(connection, device)
        storage.delete_attachment(attachment)


def main() -> int:
    """Carry out the order."""
    import openstack

    order = json.load(sys.stdin)
    cloud = openstack.connect(load_yaml_config=False, load_envvars=False, **order["cloud"])
    with opened(cloud, order["volume"], Path(order["locks"])) as volume:
        for offset, length, seed in order["writes"]:
            volume.seek(offset)
            for piece in content(length, seed):
                # None: a connector's own file, which writes all or raises.
                done = volume.write(piece)
                while done is not None and done < len(piece):
                    done += volume.write(piece[done:])
        if order["writes"]:
            volume.flush()
        digest = hashlib.sha256()
        if order["read"]:
            volume.seek(0)
            while piece := volume.read(PIECE):
                digest.update(piece)
    print(json.dumps({"digest": digest.hexdigest()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
