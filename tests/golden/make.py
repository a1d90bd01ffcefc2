# SPDX-License-Identifier: Apache-2.0
"""Make the golden containers, in version 2 of the format, and say what is in them.

``python -m tests.golden.make`` writes them beside this file. It is run for the last time when the
version becomes final: from then on they stand for the containers that are out there, and are never
made anew. A later version of the format gets golden containers of its own.

``first``
    A full backup, 0; an incremental, 1, that was deleted while its child lives on; that child, 3,
    of another size; and one that was begun and never committed, 4. Another one, 2, was deleted when
    it was the last in the log, and 3 lies where it was.
``second``
    Of the same chain: an incremental of 3, compressed by zlib, 5. It knows of a block in ``first``
    that was found bad once.
``third``
    A full backup and an incremental by lz4, 6 and 7, their blocks identified by BLAKE3.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from datera_backup.container import (
    BackupReader,
    Codec,
    Container,
    Digest,
    Geometry,
    NewBackup,
    Spot,
)
from datera_backup.engine import BackupJob, EngineSettings
from tests.fixtures.containers.chain_of_two import scattered
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import BytesSource, TickingClock

GEOMETRY = Geometry(block_size=4096, chunk_size=2 * 4096)
DEVICE_SIZE = 32 << 20
ODD = 1234
"""Bytes by which the sources are no multiple of a block."""

BLOCKS = 300
SEGMENT = 4 * 4096


def identifier(number: int) -> UUID:
    """Return the id of a golden backup."""
    return UUID(int=(0x601D << 112) + number)


def new_container(number: int) -> Container:
    """Return an empty container."""
    return Container.format(MemoryDevice(DEVICE_SIZE), identifier(number), clock=TickingClock())


def describing(number: int, size: int, parent: BackupReader | None = None) -> NewBackup:
    """Return what is known of a backup before its first byte is read."""
    return NewBackup(
        backup_id=identifier(number),
        volume_id=f"volume-größe-{number}",
        source_size=size,
        geometry=GEOMETRY if parent is None else parent.commit.geometry,
        metadata={"number": number, "name": "größe", "nested": {"list": [1, None, True, 2.5]}},
    )


def take(
    container: Container,
    number: int,
    data: bytes,
    parent: BackupReader | None = None,
    *,
    codec: Codec = Codec.ZSTD,
    digest: Digest = Digest.SHA256,
    others: tuple[Container, ...] = (),
) -> BackupReader:
    """Back up some bytes."""
    new = describing(number, len(data), parent)
    new = replace(new, codec=codec, geometry=replace(new.geometry, digest=digest))
    writer = container.begin(new, parent=parent, living=container.committed, segment_size=SEGMENT)
    job = BackupJob(
        BytesSource(data),
        writer,
        EngineSettings(workers=1, depth=2, batch_size=8192, codec=codec, level=6),
    )
    job.start()
    job.result()
    return BackupReader(container, identifier(number), others)


def chain() -> tuple[Container, Container, dict[int, bytes]]:
    """Make ``first`` and ``second``, and return what they hold."""
    first, second = new_container(0), new_container(5)
    contents = {0: scattered(bytes(BLOCKS * 4096 + ODD), 1, 12)}
    deleted = scattered(contents[0], 2, 6, zeros=2)
    contents[3] = scattered(deleted, 3, 4, zeros=2) + scattered(bytes(20 * 4096), 4, 3)
    contents[5] = scattered(contents[3], 5, 5, zeros=2)
    full = take(first, 0, contents[0])
    parent = take(first, 1, deleted, full)
    take(first, 2, scattered(bytes(20 * 4096), 9, 4), codec=Codec.RAW)
    first.drop(identifier(2))
    parent = take(first, 3, contents[3], parent)
    take(second, 5, contents[5], parent, codec=Codec.ZLIB, others=(first,))
    second.remember([Spot(first.id, first.tail, 4096)])
    first.drop(identifier(1), [second])
    writer = first.begin(describing(4, 10 * 4096), living=first.committed, segment_size=SEGMENT)
    writer.zeros(2)
    for _ in range(4):
        writer.store(bytes(32), Codec.RAW, b"x" * 4096)
    return first, second, contents


def others() -> tuple[Container, dict[int, bytes]]:
    """Make ``third``, and return what it holds."""
    container = new_container(6)
    full = scattered(bytes(40 * 4096 + ODD), 6, 14)
    contents = {6: full, 7: scattered(full, 7, 6, zeros=2)}
    parent = take(container, 6, contents[6], codec=Codec.LZ4, digest=Digest.BLAKE3)
    take(container, 7, contents[7], parent, codec=Codec.LZ4, digest=Digest.BLAKE3)
    return container, contents


def main(folder: Path) -> None:
    """Write the devices and what is in them."""
    first, second, contents = chain()
    third, more = others()
    for name, container in (("first", first), ("second", second), ("third", third)):
        device = container.device
        assert isinstance(device, MemoryDevice)
        # What lies beyond the last record is cut away.
        end = max(container.tail, len(bytes(device.content).rstrip(b"\0")))
        packed = lzma.compress(device.content.read(0, -(-end // 4096) * 4096))
        (folder / f"version-2-{name}.xz").write_bytes(packed)
    known = {
        str(identifier(number)): {
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        for number, data in {**contents, **more}.items()
    }
    (folder / "version-2.json").write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(__file__).parent)
