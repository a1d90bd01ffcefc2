# SPDX-License-Identifier: Apache-2.0
"""What Python does for each block of a backup or a restore, under the interpreter's lock."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

import pytest

from bench import held
from datera_backup.container import Geometry
from datera_backup.engine import backup, verifier

MIB = 1 << 20
SIZE = 256 * MIB
BLOCKS = SIZE // Geometry().block_size
ALMOST_EACH = BLOCKS * 7 // 8
"""Threads that count at the same time lose a call now and then."""


@pytest.mark.parametrize(("step", "calls"), [("full", 11), ("unchanged", 5), ("restore", 7)])
def test_a_step_calls_few_functions_for_each_block(step: str, calls: int, tmp_path: Path) -> None:
    """Waiting, and what is called once for a batch, depend on how the threads alternate."""
    with held.free():
        chain = held.Chain(tmp_path / "device", SIZE)
        for before in held.STEPS[: held.STEPS.index(step)]:
            job = chain.job(before)
            job.start()
            job.result()
        made: Counter[CodeType] = Counter()

        def note(frame: FrameType, event: str, _argument: object) -> None:
            if event == "call" and frame.f_code.co_filename != threading.__file__:
                made[frame.f_code] += 1

        threading.setprofile(note)
        try:
            job = chain.job(step)
            job.start()
            result = job.result()
        finally:
            threading.setprofile(None)
    assert sum(times // ALMOST_EACH for times in made.values()) <= calls
    if step == "restore":
        assert result.blocks == BLOCKS
        assert result.bytes_written == SIZE
    else:
        moved = result.statistics.new_blocks, result.statistics.inherited_blocks
        assert moved == ((BLOCKS, 0) if step == "full" else (0, BLOCKS))


def test_what_stands_in_for_digests_and_compression_is_taken_away_again() -> None:
    def used() -> list[object]:
        names = ("digest_function", "compressor")
        decompressor = getattr(verifier, "Decompressor")  # noqa: B009 - mypy knows no re-export
        return [*(getattr(backup, name) for name in names), decompressor]

    real = used()
    with held.free():
        assert used()[:2] != real[:2]
    assert used() == real


def test_several_operations_at_once_are_measured_for_each_gib(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert held.main(["--size", "64M", "--at-once", "2", "--directory", str(tmp_path)]) == 0
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[:2] for row in rows] == [["| 2", step] for step in held.STEPS]
    assert all(float(row.split(" | ")[2]) > 0 for row in rows)
    assert list(tmp_path.iterdir()) == []
