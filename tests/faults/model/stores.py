# SPDX-License-Identifier: Apache-2.0
"""The stores behind the four backends: what lies in them, and how to damage it or take it away."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import swiftclient

from datera_emulator import Emulator
from tests.fixtures.backends.s3_service import S3Endpoint
from tests.fixtures.backends.swift_service import SwiftService
from tests.fixtures.faults.gate import Gate

Mend = Callable[[], None]


class Store(ABC):
    """Where one backend keeps its backups."""

    @abstractmethod
    def names(self) -> set[str]:
        """All that is stored: objects, files or containers."""

    @abstractmethod
    def named_by(self, record: Any) -> str:
        """How the names begin of what belongs to a record."""

    @abstractmethod
    def go(self) -> None:
        """The server is away."""

    @abstractmethod
    def come(self) -> None:
        """It is back, with all that it had."""


class ObjectStore(Store):
    """Objects that belong to one backup each."""

    def named_by(self, record: Any) -> str:
        """The driver saves both before it writes the first object."""
        return f"{record.container}/{record.service_metadata}"

    @abstractmethod
    def read(self, name: str) -> bytes:
        """An object's bytes."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Replace an object, in a way that the backend does not notice."""

    def tear(self, record: Any) -> Mend | None:
        """Change the first of a backup's objects with data; None if it has none."""
        name = f"{self.named_by(record)}-00001"
        if name not in self.names():
            return None
        sound = self.read(name)
        middle = len(sound) // 2
        changed = bytes(one ^ 0xFF for one in sound[middle : middle + 64])
        self.write(name, sound[:middle] + changed + sound[middle + 64 :])

        def mend() -> None:
            if name in self.names():
                self.write(name, sound)

        return mend


class Folder(ObjectStore):
    """A share; while it is away, its mount point cannot be entered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._away = folder.with_name(f"{folder.name}.away")

    def names(self) -> set[str]:
        files = (path for path in self._folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self._folder)) for path in files}

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        (self._folder / name).write_bytes(data)

    def go(self) -> None:
        self._folder.rename(self._away)
        self._folder.touch()

    def come(self) -> None:
        self._folder.unlink()
        self._away.rename(self._folder)


class Gated(ObjectStore):
    """Behind a gate, which the tests themselves go around."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def go(self) -> None:
        self._gate.close()

    def come(self) -> None:
        self._gate.open()


class SwiftStore(Gated):
    """A container of a real Swift."""

    def __init__(self, service: SwiftService, container: str, gate: Gate) -> None:
        super().__init__(gate)
        self._container = container
        self._client = swiftclient.Connection(
            authurl=service.auth_url, user=service.user, key=service.key
        )

    def names(self) -> set[str]:
        try:
            found = self._client.get_container(self._container, full_listing=True)[1]
        except swiftclient.ClientException as error:
            if error.http_status != HTTPStatus.NOT_FOUND:
                raise
            return set()
        return {f"{self._container}/{entry['name']}" for entry in found}

    def read(self, name: str) -> bytes:
        found: bytes = self._client.get_object(*name.split("/", 1))[1]
        return found

    def write(self, name: str, data: bytes) -> None:
        self._client.put_object(*name.split("/", 1), data)


class S3Store(Gated):
    """A bucket."""

    def __init__(self, service: S3Endpoint, bucket: str, gate: Gate) -> None:
        super().__init__(gate)
        self._bucket = bucket
        self._client = service.client()

    def names(self) -> set[str]:
        try:
            found = self._client.get_paginator("list_objects_v2")
            pages = list(found.paginate(Bucket=self._bucket))
        except self._client.exceptions.NoSuchBucket:
            return set()
        return {
            f"{self._bucket}/{entry['Key']}" for page in pages for entry in page.get("Contents", [])
        }

    def read(self, name: str) -> bytes:
        found = self._client.get_object(Bucket=self._bucket, Key=name.split("/", 1)[1])
        data: bytes = found["Body"].read()
        return data

    def write(self, name: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=name.split("/", 1)[1], Body=data)


class Array(Store):
    """A Datera cluster; each app instance is a container, of several backups."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def names(self) -> set[str]:
        cluster = self.emulator.cluster
        with cluster.lock:
            return {one.name for one in cluster.app_instances.values()}

    def named_by(self, record: Any) -> str:
        return str(record.container)

    def go(self) -> None:
        self.emulator.stop()

    def come(self) -> None:
        self.emulator.start()

    def open_doors(self) -> list[str]:
        """What is attached, or could be: nothing, while no operation is under way."""
        cluster = self.emulator.cluster
        with cluster.lock:
            return [
                one.name
                for one in cluster.app_instances.values()
                if one.admin_state != "offline"
                or any(storage.initiators for storage in one.storage_instances.values())
            ] + [str(session) for session in cluster.sessions]

    def spoil(self, container: str, stored: bytes) -> Mend | None:
        """Change a block wherever it lies as it is in a container; None if it does nowhere."""
        path = self._file(container)
        found = [
            at + place
            for at, data in _extents(path)
            for place in _places(data, stored[: len(stored) // 2])
        ]
        return self._flip(container, [place + 100 for place in found], 8) if found else None

    def shake(self, container: str, where: float) -> Mend | None:
        """Change a sector somewhere, at this share of what is written in the container."""
        path = self._file(container)
        sectors = [at + place for at, data in _extents(path) for place in range(0, len(data), 512)]
        return self._flip(container, [sectors[int(where * len(sectors))]], 512) if sectors else None

    def _flip(self, container: str, places: list[int], length: int) -> Mend:
        """Change bytes at these places, and return what undoes that where they still are so."""
        path = self._file(container)
        undo: list[tuple[int, bytes, bytes]] = []
        with open(path, "r+b") as file:
            for place in places:
                sound = os.pread(file.fileno(), length, place)
                flipped = bytes(one ^ 0xFF for one in sound)
                os.pwrite(file.fileno(), flipped, place)
                undo.append((place, sound, flipped))

        def mend() -> None:
            if not path.exists():
                return
            with open(path, "r+b") as file:
                for place, sound, flipped in undo:
                    if os.pread(file.fileno(), len(sound), place) == flipped:
                        os.pwrite(file.fileno(), sound, place)

        return mend

    def _file(self, container: str) -> Path:
        cluster = self.emulator.cluster
        with cluster.lock:
            instance = cluster.app_instance_named("/root", container)
            assert instance is not None, container
            ((_, volume),) = instance.volumes()
            return cluster.files.path(volume.file)


def _extents(path: Path) -> Iterator[tuple[int, bytes]]:
    """What is written in a sparse file."""
    with open(path, "rb") as file:
        size, at = os.fstat(file.fileno()).st_size, 0
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            yield at, os.pread(file.fileno(), end - at, at)
            at = end


def _places(data: bytes, wanted: bytes) -> Iterator[int]:
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)
