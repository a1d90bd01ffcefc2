# SPDX-License-Identifier: Apache-2.0
"""Make a golden container, in version 1 of the format, and say what is in it.

Run once, by ``python -m tests.golden.make FOLDER``; what it wrote then is kept, and is never made
anew: it stands for the containers that are out there. It was made on Linux, x86-64, by the software
that first wrote the format. A later version of the format gets golden containers of its own.

There are two devices, because an incremental may refer to blocks in an older container:

- ``first``: a full backup, an incremental, one that was dropped (dead), another incremental of
  another size, and one that was begun and never committed;
- ``second``: an incremental, compressed by zlib, of a backup in ``first``.

A third came later, with what version 1 had reserved: a full backup and an incremental by lz4, their
blocks identified by BLAKE3 (``python -m tests.golden.make FOLDER third``).
"""

from __future__ import annotations

import hashlib
import json
import lzma
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from datera_backup.container import BackupReader, Codec, Container, Digest, Geometry, NewBackup
from datera_backup.engine import BackupJob, Settings
from tests.fixtures.devices import MemoryDevice
from tests.fixtures.moving import BytesSource, TickingClock, changed, some_bytes

GEOMETRY = Geometry(block_size=4096, chunk_size=16 * 4096)
DEVICE_SIZE = 4 << 20
ODD = 1234
"""Bytes by which the sources are no multiple of a block."""

Contents = dict[str, str]


def identifier(number: int) -> UUID:
    """Return the id of a golden backup."""
    return UUID(int=(0x601D << 112) + number)


def take(
    container: Container,
    number: int,
    data: bytes,
    parent: BackupReader | None = None,
    *,
    codec: Codec = Codec.ZSTD,
    geometry: Geometry = GEOMETRY,
) -> BackupReader:
    """Back up some bytes."""
    new = NewBackup(
        backup_id=identifier(number),
        volume_id=f"volume-größe-{number}",
        source_size=len(data),
        geometry=geometry,
        parent_id=None if parent is None else parent.commit.backup_id,
        codec=codec,
        metadata={"number": number, "name": "größe", "nested": {"list": [1, None, True, 2.5]}},
    )
    writer = container.begin(new, living=container.committed, segment_size=8 * 4096)
    settings = Settings(workers=1, depth=2, batch_size=8192, codec=codec, level=6)
    job = BackupJob(BytesSource(data), writer, parent, settings)
    job.start()
    job.result()
    return BackupReader(container, identifier(number))


def main(folder: Path) -> None:
    """Write the devices and what is in them."""
    first = Container.format(MemoryDevice(DEVICE_SIZE), identifier(0), clock=TickingClock())
    second = Container.format(MemoryDevice(DEVICE_SIZE), identifier(5), clock=TickingClock())
    full = some_bytes(1, 40 * 4096 + ODD)
    contents = {0: full, 1: changed(full, 2, 6)}
    contents[3] = changed(contents[1], 3, 6) + some_bytes(4, 20 * 4096 + ODD)
    contents[5] = changed(contents[3], 5, 12)
    parent = take(first, 0, contents[0])
    parent = take(first, 1, contents[1], parent)
    take(first, 2, some_bytes(9, 20 * 4096), codec=Codec.RAW)
    parent = take(first, 3, contents[3], parent)
    first.drop(identifier(2))
    take(second, 5, contents[5], parent, codec=Codec.ZLIB)
    new = NewBackup(identifier(4), "volume-4", 10 * 4096, GEOMETRY)
    writer = first.begin(new, living=first.committed, segment_size=4 * 4096)
    writer.zeros(2)
    for _ in range(4):
        writer.store(bytes(32), Codec.RAW, b"x" * 4096)
    keep(folder, "first", first)
    keep(folder, "second", second)
    describe(folder / "version-1.json", contents)


def third(folder: Path) -> None:
    """Write the device that came later, and what is in it."""
    container = Container.format(MemoryDevice(DEVICE_SIZE), identifier(6), clock=TickingClock())
    geometry = replace(GEOMETRY, digest=Digest.BLAKE3)
    full = some_bytes(6, 40 * 4096 + ODD)
    contents = {6: full, 7: changed(full, 7, 6)}
    parent = take(container, 6, contents[6], codec=Codec.LZ4, geometry=geometry)
    take(container, 7, contents[7], parent, codec=Codec.LZ4, geometry=geometry)
    keep(folder, "third", container)
    describe(folder / "version-1-third.json", contents)


def keep(folder: Path, name: str, container: Container) -> None:
    """Write a device's first bytes, packed."""
    device = container.device
    assert isinstance(device, MemoryDevice)
    packed = lzma.compress(bytes(device.content[: 3 << 20]))
    (folder / f"version-1-{name}.xz").write_bytes(packed)


def describe(path: Path, contents: dict[int, bytes]) -> None:
    """Write down what the backups hold."""
    known = {
        str(identifier(number)): {
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        for number, data in contents.items()
    }
    path.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    (third if sys.argv[2:] == ["third"] else main)(Path(sys.argv[1]))
