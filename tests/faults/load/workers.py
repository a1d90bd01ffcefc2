# SPDX-License-Identifier: Apache-2.0
"""Users who make, restore and delete backups at once, on a cluster that fails now and then."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.fixtures.cinder import file_volume

BLOCK = 2**16
ATTEMPTS = 30
"""How often something is tried again that must work, where one request in fifty fails."""


@dataclass
class Load:
    """What all users share.

    :ivar done: what was tried, and what came of it.
    """

    cinder: Any
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str) -> None:
        with self._lock:
            self.done[what] += 1


class User:
    """One of them: in each round a volume, a chain of backups, restores, and an end of all.

    :param number: others have other ones.
    """

    def __init__(self, load: Load, number: int, backend: str) -> None:
        self._load = load
        self._cinder = load.cinder
        self._number = number
        self._backend = backend

    def live(self, turn: int) -> None:
        """One round; nothing is left of it."""
        chance = random.Random(repr((self._load.seed, self._number, turn)))
        volume = self._cinder.create_volume(1)
        made: list[tuple[Any, bytes]] = []
        kept: list[Any] = []
        for number in range(2):
            data = chance.randbytes(BLOCK)
            block = chance.randrange(file_volume.SIZE_OF_A_GIB // BLOCK)
            self._cinder.write(volume, block * BLOCK, data)
            content = self._content(volume)
            sound = any(backup.status == "available" for backup, _ in made)
            backup = self._cinder.create_backup(
                volume, f"{self._backend}_{number}", incremental=sound and number > 0
            )
            made.append((backup, content))
            assert backup.status in {"available", "error"}
            self._load.note(f"backups {backup.status}")
        for backup, content in made:
            if backup.status == "available":
                kept.append(self._restored(backup, content))
        for backup, _ in reversed(made):
            self._delete(backup)
        for one in (volume, *kept):
            self._cinder.delete_volume(one)

    def _restored(self, backup: Any, content: bytes) -> Any:
        """A new volume with the backup's content: at the first attempt, or a later one."""
        for _ in range(ATTEMPTS):
            volume = self._cinder.restore_backup(self._cinder.backup(backup.id))
            self._load.note(f"restores {volume.status}")
            if volume.status == "available":
                assert self._content(volume) == content, "wrong data"
                return volume
            assert volume.status == "error_restoring"
            self._cinder.delete_volume(volume)
        raise AssertionError(f"backup {backup.id} does not restore: {self._cinder.failures[-1]}")

    def _delete(self, backup: Any) -> None:
        for _ in range(ATTEMPTS):
            left = self._cinder.delete_backup(backup)
            self._load.note("deletions failed" if left else "deletions done")
            if left is None:
                return
            assert left.status == "error"
        raise AssertionError(f"backup {backup.id} cannot be deleted: {left.fail_reason}")

    def _content(self, volume: Any) -> bytes:
        data: bytes = self._cinder.read(volume, 0, file_volume.SIZE_OF_A_GIB + 1)
        return data
