# SPDX-License-Identifier: Apache-2.0
"""The floor of a step is what its primitives take on the cores that there are."""

from __future__ import annotations

from pathlib import Path

from bench.measuring import image, primitives

MIB = 1 << 20


def test_the_floor_is_spread_over_the_cores_but_for_reading(tmp_path: Path) -> None:
    one = tmp_path / "one"
    image.make(one, 2 * MIB, 7)
    found = primitives.measure(one)
    found.update(cores=2, seconds=dict.fromkeys(found["seconds"], 1.0))
    floor = primitives.floor(found)
    assert (floor["full"], floor["unchanged"]) == (2.5, 2.0)
    assert 1.0 < floor["restore"] < 2.0
