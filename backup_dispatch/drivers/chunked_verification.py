# SPDX-License-Identifier: Apache-2.0
"""Verify what Cinder's chunked drivers stored: they store digests, but never check them.

Each object that a backup's metadata names is read, one at a time, and compared with the length and
the md5 in the metadata and with the sha256 of each of its blocks. For blocks that an incremental
takes from its parent, the digests of both must match. What could not be read is neither sound nor
damaged, and reported separately.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from backup_dispatch.drivers.chunked_objects import ChunkedObjects, ObjectDamaged, ObjectUnread
from backup_dispatch.drivers.deletion import require_kept
from backup_dispatch.drivers.digests import Digests
from backup_dispatch.drivers.interface import Progress
from backup_dispatch.drivers.readers.stored import (
    Stored,
    decompressed,
    digests_in,
    digests_name,
    metadata_in,
    metadata_name,
    objects_in,
)
from backup_dispatch.errors import VerdictUnknown

T = TypeVar("T")

ENOUGH = 10
"""Number of unreadable objects after which no more are tried: each may take a timeout."""


@dataclass
class Layer:
    """One backup of the chain, as far as its metadata could be read.

    :ivar listed: the names that the container actually has.
    """

    backup: Any
    listed: frozenset[str] = frozenset()
    objects: list[Stored] = field(default_factory=list)
    extra: Any = None


class ChunkedVerification:
    """Verifies one backup with all that it builds on.

    :param chain: the backup first, the full one last.
    :param share: of the objects with blocks to read, at least one; ``seed`` selects which.
    :param trusted: the last of the chain was verified before, with all that it builds on: only its
        metadata and digests are read.
    :ivar damage: what was found, one line each.
    :ivar unknown: what could not be determined, and why, one line each.
    :ivar read: bytes of the volume that were read.
    :ivar objects: how many objects with blocks there are.
    :ivar drawn: how many of them were selected.
    """

    def __init__(
        self,
        driver: Any,
        chain: list[Any],
        progress: Progress,
        share: float = 1.0,
        seed: int = 0,
        *,
        trusted: bool = False,
    ) -> None:
        self._driver = driver
        self._objects = ChunkedObjects(driver)
        self._chain = chain
        self._progress = progress
        self._share = share
        self._seed = seed
        self._trusted = chain[-1].id if trusted else None
        self._total = 0
        self.objects = self.drawn = 0
        self.damage: list[str] = []
        self.unknown: list[str] = []
        self.read = 0

    def run(self) -> None:
        """Read and compare; afterwards ``damage`` and ``unknown`` have the result."""
        try:
            self._run()
        except VerdictUnknown as unknown:
            self.unknown.append(unknown.full_text)

    def _run(self) -> None:
        layers = [self._described(backup) for backup in reversed(self._chain)]
        drawn = self._sample(layers)
        self._total = sum(one.length for one in drawn)
        below: Digests | None = None
        for layer in layers:
            if layer is None:
                below = None
                continue
            digests = self._digests(layer)
            for one in layer.objects:
                if one in drawn:
                    self._check(layer, one, digests)
                    self.read += one.length
                    self._progress(self.read, self._total)
            if layer.backup.id == self._trusted:
                pass
            elif layer.backup.parent_id:
                self._compare_with_parent(layer, digests, below)
            else:
                self._look_for_gaps(layer)
            below = digests

    def _sample(self, layers: list[Layer | None]) -> frozenset[Stored]:
        """The objects to read: names are unique to a backup, so each is selected once."""
        read = [layer for layer in layers if layer and layer.backup.id != self._trusted]
        objects = [one for layer in read for one in layer.objects]
        self.objects, self.drawn = len(objects), math.ceil(self._share * len(objects))
        # Not for security: nobody gains by predicting the selection.
        chance = random.Random(self._seed)  # noqa: S311
        return frozenset(chance.sample(objects, self.drawn))

    # Expected objects

    def _described(self, backup: Any) -> Layer | None:
        """The backup's metadata, parsed; None if nothing can be read with it."""
        layer = Layer(backup, self._objects.listed(backup))
        if not layer.listed:
            self._found(backup, "the backend has nothing of it")
            return None
        metadata = self._object(layer, metadata_name(backup), metadata_in)
        if metadata is None:
            return None
        layer.objects = list(objects_in(metadata))
        layer.extra = metadata.get("extra_metadata")
        self._compare_with_record(backup, metadata)
        expected = {one.name for one in layer.objects}
        expected |= {metadata_name(backup), digests_name(backup)}
        for name in sorted(layer.listed - expected):
            # Cinder then refuses to restore it.
            self._found(backup, f"object {name} is there, and its metadata does not name it")
        return layer

    def _compare_with_record(self, backup: Any, metadata: dict[str, Any]) -> None:
        if metadata.get("version") not in self._driver.DRIVER_VERSION_MAPPING:
            self.unknown.append(
                f"whether backup {backup.id} can be restored: its metadata has version "
                f"{metadata.get('version')}, which the driver of this Cinder does not know"
            )
        if metadata.get("backup_id") != backup.id:
            self._found(backup, f"its metadata is that of backup {metadata.get('backup_id')}")
        parent = metadata.get("parent_id", backup.parent_id)
        if parent != backup.parent_id:
            self._found(backup, f"it was made on backup {parent}, not on {backup.parent_id}")

    def _digests(self, layer: Layer) -> Digests | None:
        return self._object(layer, digests_name(layer.backup), digests_in)

    # Stored objects

    def _check(self, layer: Layer, one: Stored, digests: Digests | None) -> None:
        self._object(layer, one.name, lambda body: _require_right(one, body, digests))

    def _object(self, layer: Layer, name: str, understand: Callable[[bytes], T]) -> T | None:
        """The parsed object; None if that failed, which was noted."""
        backup = layer.backup
        if name not in layer.listed:
            self._found(backup, f"object {name} is missing")
            return None
        extra = {} if layer.extra is None else {"extra_metadata": layer.extra}
        try:
            return self._objects.understood(backup, name, understand, **extra)
        except ObjectDamaged as damage:
            self._found(backup, f"object {name}: {damage}")
        except ObjectUnread as unread:
            self.unknown.append(f"whether object {name} of backup {backup.id} is whole: {unread}")
            if len(self.unknown) >= ENOUGH:
                raise VerdictUnknown("the rest: nothing more was read after these") from unread
        return None

    # Consistency of the chain

    def _compare_with_parent(
        self, layer: Layer, digests: Digests | None, below: Digests | None
    ) -> None:
        if digests is None or below is None or digests.block_size != below.block_size:
            return
        covered = sorted((one.offset, one.length) for one in layer.objects)
        at = digests.first_difference(below, covered)
        if at is not None:
            self._found(
                layer.backup,
                f"its parent has not what it builds on, by the sha256 of the block at byte {at}",
            )

    def _look_for_gaps(self, layer: Layer) -> None:
        expected = 0
        for one in sorted(layer.objects, key=lambda one: one.offset):
            if one.offset != expected:
                self._found(layer.backup, f"bytes {expected} to {one.offset} are in no object")
            expected = one.offset + one.length

    def _found(self, backup: Any, what: str) -> None:
        require_kept([backup])
        self.damage.append(f"backup {backup.id}: {what}")


def _require_right(one: Stored, body: bytes, digests: Digests | None) -> None:
    """Require that an object is what was stored.

    :raises ObjectDamaged: it is not.
    :raises ObjectUnread: its compression is not known here.
    :raises VerdictUnknown: it cannot be decompressed here.
    """
    data = decompressed(one, body)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if len(data) != one.length:
        raise ObjectDamaged(f"it has {len(data)} bytes, and should have {one.length}")
    if md5 != one.md5:
        raise ObjectDamaged(f"its md5 is {md5}, and should be {one.md5}")
    if digests is None or one.offset % digests.block_size:
        return
    at = digests.first_wrong(one.offset, data)
    if at is not None:
        raise ObjectDamaged(f"the block at byte {at} has not the sha256 in the list")
