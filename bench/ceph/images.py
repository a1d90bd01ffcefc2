# SPDX-License-Identifier: Apache-2.0
"""Volumes in a Ceph cluster that hold the bytes of a file, in pieces with nothing between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from os_brick.initiator import linuxrbd

from datera_backup.engine import FileSource
from tests.services.stack.servers.ceph import USER, VOLUMES_POOL

MIB = 1 << 20
PIECE = 64 * MIB


class Pool:
    """The pool of Cinder's volumes.

    :param conf: the cluster's ``ceph.conf``.
    """

    def __init__(self, conf: Path) -> None:
        self._conf = str(conf)

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Connect, and yield os-brick's client."""
        with linuxrbd.RBDClient(USER, VOLUMES_POOL, conffile=self._conf) as client:
            yield client

    @contextmanager
    def opened(self, name: str) -> Iterator[Any]:
        """Open a volume as Cinder does, and yield the file object that drivers get."""
        with self.client() as client:
            volume = linuxrbd.RBDVolume(client, name)
            meta = linuxrbd.RBDImageMetadata(volume.image, VOLUMES_POOL, USER, self._conf)
            file = linuxrbd.RBDVolumeIOWrapper(meta)
            try:
                yield file
            finally:
                file.close()

    def create(self, name: str, size: int) -> None:
        """Create an empty volume, with Ceph's default features."""
        with self.client() as client:
            client.rbd.RBD().create(client.ioctx, name, size)

    def rename(self, name: str, other: str) -> None:
        """Rename a volume."""
        with self.client() as client:
            client.rbd.RBD().rename(client.ioctx, name, other)


def places(source: FileSource, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield where the file's data lie in a volume of ``size``: in the file, there, and how long.

    The file's pieces of 64 MiB are spread evenly, as a filesystem spreads what it holds; nothing
    that is yielded is longer than a MiB.
    """
    distance = size // -(-source.size // PIECE) // MIB * MIB
    for start, end in source.extents():
        for at in range(start, end, MIB):
            piece, within = divmod(at, PIECE)
            yield at, piece * distance + within, min(MIB, end - at)


def fill(image: Any, path: Path) -> None:
    """Write the data of a file into an empty volume."""
    with path.open("rb") as file:
        source = FileSource(file)
        for at, there, length in places(source, image.size()):
            image.write(_read(source, at, length), there)
    image.flush()


def holds(image: Any, path: Path) -> bool:
    """Whether a volume has the data of a file, and nothing else."""
    right = set()
    with path.open("rb") as file:
        source = FileSource(file)
        for at, there, length in places(source, image.size()):
            if image.read(there, length) != _read(source, at, length):
                return False
            right.add(there)
    # Data begin at whole MiB in the file, and so in the volume.
    found: list[tuple[int, int]] = []

    def tell(at: int, length: int, exists: bool) -> None:
        if exists:
            found.append((at, length))

    image.diff_iterate(0, image.size(), None, tell)
    return not any(
        any(image.read(at, MIB))
        for start, length in found
        for at in range(start // MIB * MIB, start + length, MIB)
        if at not in right
    )


def _read(source: FileSource, at: int, length: int) -> bytes:
    data = bytearray(length)
    source.readinto(at, memoryview(data))
    return bytes(data)
