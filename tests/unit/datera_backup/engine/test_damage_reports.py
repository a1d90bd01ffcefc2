# SPDX-License-Identifier: Apache-2.0
"""What one finding costs does not grow with the volume, and no finding escapes a job as another."""

from __future__ import annotations

import threading

import pytest

from datera_backup.container import BackupReader, BlockDamaged, DamageKind, Geometry, NewBackup
from datera_backup.engine import BackupJob, Damage, RestoreJob, VerifyJob
from tests.fixtures.containers.chain_of_two import sparse, take
from tests.fixtures.containers.devices import Content, MemoryDevice
from tests.fixtures.containers.moving import (
    BLOCK,
    FEW,
    MemorySink,
    SparseSource,
    identifier,
    memory_of,
    new_container,
)
from tests.fixtures.containers.naive_reader import COPY

TIB = 1 << 40


def test_a_lost_root_of_a_large_volume_is_one_damage() -> None:
    container = new_container(1)
    source = SparseSource(TIB, {0: b"a" * BLOCK, TIB // 2: b"b" * BLOCK})
    new = NewBackup(identifier(1), "a volume", TIB, Geometry())
    job = BackupJob(source, container.begin(new, living=()), FEW)
    job.start()
    root = job.result().root
    assert root is not None
    for place in (root.offset, root.offset + COPY):
        memory_of(container).content.flip(place)
    found: list[Damage] = []
    verify = VerifyJob(BackupReader(container, identifier(1)), on_damage=found.append)
    verify.start()
    verify.result()
    assert [(one.offset, one.length) for one in found] == [(0, TIB)]


class Fading(MemoryDevice):
    """A device on which a place reads wrong once, and then not at all."""

    def __init__(self, content: Content, at: int) -> None:
        super().__init__(content=content)
        self._at = at
        self._lock = threading.Lock()
        self._reads = 0

    def pread(self, offset: int, buffer: memoryview) -> None:
        super().pread(offset, buffer)
        if offset <= self._at < offset + len(buffer):
            with self._lock:
                self._reads += 1
                if self._reads > 1:
                    raise OSError(5, "Input/output error")
            buffer[self._at - offset] ^= 1


@pytest.mark.parametrize("told", [True, False])
def test_a_block_whose_second_reading_fails_is_damage_like_any_other(told: bool) -> None:
    container = new_container(1)
    data = sparse(1, 40)
    reader = take(container, 1, data)
    number = next(n for n in range(reader.chunk_count) if reader.chunk(n) is not None)
    chunk = reader.chunk(number)
    assert chunk is not None
    device = Fading(memory_of(container).content, chunk.offsets[0])
    reader = BackupReader(type(container).open(device), identifier(1))
    found: list[Damage] = []
    on_damage = found.append if told else None
    job = RestoreJob(
        reader, MemorySink(len(data)), write_zeros=True, settings=FEW, on_damage=on_damage
    )
    job.start()
    if told:
        job.result()
        (one,) = found
        assert isinstance(one.error, BlockDamaged)
        error = one.error
    else:
        with pytest.raises(BlockDamaged) as caught:
            job.result()
        error = caught.value
    assert error.finding is DamageKind.UNREADABLE
    assert error.device_offset == chunk.offsets[0]
