# SPDX-License-Identifier: Apache-2.0
"""The steps of a walk: each does something in the cloud, and says what must have come of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from cinder import exception

from tests.faults.model.cloud import BACKENDS, Cloud
from tests.faults.model.comparison import (
    compare_doors,
    compare_quotas,
    compare_records,
    compare_stores,
)
from tests.faults.model.expected import (
    BLOCK,
    VERIFYING,
    Backup,
    Expected,
    Harm,
    State,
    Volume,
)

LOOK_EVERY = 10
"""Steps between two looks into the stores."""


class Walk:
    """A cloud, what it must hold, and what is wrong with it on purpose.

    :ivar away: backends whose server is away.
    :ivar down: those that were away when the service started.
    :ivar done: what was tried, and how often.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.expected = Expected()
        self.away: set[str] = set()
        self.down: set[str] = set()
        self.mends: list[Callable[[], None]] = []
        self.done: Counter[str] = Counter()
        self._written = 0
        self._steps = 0

    def out_of_reach(self, backend: str) -> bool:
        """Whether nothing can be done at a backend."""
        return backend in self.away | self.down

    def may_fail(self, backup: Backup) -> bool:
        """Whether the service cannot even find out, or not for certain, who has a backup."""
        return self.out_of_reach(backup.backend) or (
            backup.unowned and any(map(self.out_of_reach, BACKENDS))
        )

    def compare(self) -> None:
        """After each step; now and then with all that lies in the stores."""
        self._steps += 1
        self.done["steps"] += 1
        compare_records(self.cloud, self.expected)
        compare_doors(self.cloud, self.away)
        if self._steps % LOOK_EVERY == 0:
            compare_stores(self.cloud, self.away)
            compare_quotas(self.cloud)

    # Volumes

    def new_volume(self, project: str) -> None:
        with self.cloud.acting(project) as cinder:
            made = cinder.create_volume(1)
        assert made.status == "available"
        self.expected.volumes[made.id] = Volume(made.id, project)

    def write(self, volume: Volume, block: int, kind: str) -> None:
        """Something new in a block: what does not compress, what does, or zeros."""
        self._written += 1
        data = {
            "noise": lambda: random.Random(self._written).randbytes(BLOCK),
            "text": lambda: f"{self._written:8}".encode() * (BLOCK // 8),
            "zeros": lambda: bytes(BLOCK),
        }[kind]()
        with self.cloud.acting(volume.project) as cinder:
            cinder.write(cinder.volume(volume.id), block * BLOCK, data)
        volume.write(block, data)

    def delete_volume(self, volume: Volume) -> None:
        with self.cloud.acting(volume.project) as cinder:
            cinder.delete_volume(cinder.volume(volume.id))
        del self.expected.volumes[volume.id]

    # Backups

    def back_up(self, volume: Volume, backend: str, *, incremental: bool) -> None:
        """Make a backup; without anything to build on, an incremental is refused."""
        parents = self.expected.newest(volume.id, backend) if incremental else []
        with self.cloud.acting(volume.project) as cinder:
            user_volume = cinder.volume(volume.id)
            if incremental and not self.expected.available(volume.id):
                with pytest.raises(exception.InvalidBackup):
                    cinder.create_backup(user_volume, f"{backend}_x", incremental=True)
                return
            record = cinder.create_backup(user_volume, f"{backend}_x", incremental=incremental)
        backup = self._backup_of(record, backend, volume.content)
        unsure = incremental and self._may_be_refused(volume.id)
        if self.out_of_reach(backend) or (incremental and not parents):
            assert record.status == "error", "nothing to build on, or nowhere to go"
        elif record.status == "error":
            assert unsure, record.fail_reason
        else:
            assert record.status == "available", record.fail_reason
            assert not incremental or unsure or backup.parent in parents, (backup, parents)
        self.done[f"backups {'made' if record.status == 'available' else 'failed'}"] += 1
        if record.status == "error":
            backup.state = State.FAILED
        self.expected.add(backup)

    def _may_be_refused(self, volume: str) -> bool:
        return any(map(self.may_fail, self.expected.available(volume)))

    def _backup_of(self, record: Any, backend: str, content: bytes) -> Backup:
        return Backup(
            id=record.id,
            project=record.project_id,
            volume=record.volume_id,
            backend=backend,
            content=content,
            moment=record.data_timestamp,
            container=record.container,
            parent=record.parent_id or None,
        )

    def restore(self, backup: Backup, volume: Volume | None = None) -> None:
        """Restore to a volume of the project, or to a new one: all of it, or what is wrong."""
        with self.cloud.acting(backup.project) as cinder:
            if backup.state is not State.AVAILABLE:
                with pytest.raises(exception.InvalidBackup):
                    cinder.restore_backup(cinder.backup(backup.id))
                return
            before = len(cinder.failures)
            restored = cinder.restore_backup(
                cinder.backup(backup.id), cinder.volume(volume.id) if volume else None
            )
            why = " ".join(str(one) for one in cinder.failures[before:])
        if restored.status == "available":
            self._require_right(backup, self.cloud.content(restored.id))
            self.expected.volumes[restored.id] = Volume(
                restored.id, backup.project, self.cloud.content(restored.id)
            )
            self.done["restores"] += 1
            return
        assert restored.status == "error_restoring"
        assert self.may_fail(backup) or self.expected.harm(backup) is not Harm.NONE, why
        if not self.may_fail(backup):
            self._require_named(backup, why)
        self.done["restores refused"] += 1
        # What it holds now is of no use to anybody.
        self.expected.volumes.setdefault(restored.id, Volume(restored.id, backup.project))
        self.delete_volume(self.expected.volumes[restored.id])

    def _require_right(self, backup: Backup, content: bytes) -> None:
        """Never wrong data; Cinder's own drivers do not look, where a compression does not."""
        harm = self.expected.harm(backup)
        assert not self.out_of_reach(backup.backend)
        if backup.backend == VERIFYING:
            assert harm is not Harm.CERTAIN, "it was damaged, and passed for whole"
            assert content == backup.content, "wrong data"
        elif harm is Harm.NONE:
            assert content == backup.content, "wrong data"
        elif content != backup.content:
            self.done["wrong data by Cinder's own drivers"] += 1

    def _require_named(self, backup: Backup, why: str) -> None:
        """The damage is named: the block and its backup, by the backend that verifies."""
        assert why
        if self.expected.lost_blocks(backup):
            assert "Block " in why, why

    def delete(self, backup: Backup) -> None:
        """Delete it: refused for a parent, and done again later where the backend was away."""
        with self.cloud.acting(backup.project) as cinder:
            if self.expected.children(backup.id):
                with pytest.raises(exception.InvalidBackup):
                    cinder.delete_backup(cinder.backup(backup.id))
                return
            left = cinder.delete_backup(cinder.backup(backup.id))
        if left is None:
            # Whose store was away then still has all of it.
            assert backup.state is State.FAILED or not self.out_of_reach(backup.backend)
            self.expected.remove(backup.id)
            self.done["deletions"] += 1
            return
        may_fail = self.may_fail(backup) or self.expected.harm(backup) is Harm.POSSIBLE
        assert may_fail, left.fail_reason
        assert left.status == "error"
        backup.state = State.FAILED
        self.done["deletions failed"] += 1

    def move(self, backup: Backup, *, thoroughly: bool) -> None:
        """Export a whole chain, forget its records, and import it again."""
        family = self.expected.family(backup)
        if any(one.state is not State.AVAILABLE or self.may_fail(one) for one in family):
            return
        with self.cloud.acting(backup.project, operator=True) as cinder:
            exports = [cinder.export_backup(cinder.backup(one.id)) for one in family]
            for one in reversed(family):
                self.cloud.forget(cinder.backup(one.id), thoroughly=thoroughly)
            for one, export in zip(family, exports, strict=True):
                made = cinder.import_backup(export)
                assert (made.id, made.status) == (one.id, "available"), made.fail_reason
                # An exported record has whole seconds: two of one second are equally new.
                one.moment = one.moment.replace(microsecond=0)
        self.done["imports"] += len(family)
