# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures the same bytes everywhere, and says what it found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import chart, image, primitives, process, report
from bench.suite import Results

MIB = 1 << 20


def test_an_image_is_the_same_each_time_and_mostly_what_it_says(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    image.make(one, 12 * MIB, 7)
    image.make(other, 12 * MIB, 7)
    assert image.same(one, other)
    zeros = sum(not any(one.read_bytes()[at : at + 64]) for at in range(0, 12 * MIB, MIB))
    assert 1 <= zeros <= 9
    assert one.stat().st_blocks * 512 <= (12 - zeros + 1) * MIB


def test_an_image_may_be_mostly_a_hole(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    image.make(sparse, 1 << 40, 7, holding=4 * MIB)
    assert sparse.stat().st_size == 1 << 40
    assert sparse.stat().st_blocks * 512 <= 5 * MIB


def test_a_changed_image_differs_in_as_much_as_it_says(tmp_path: Path) -> None:
    one, changed = tmp_path / "one", tmp_path / "changed"
    image.make(one, 8 * MIB, 7)
    told = image.change(one, changed, 0.05, 9)
    before, after = one.read_bytes(), changed.read_bytes()
    assert len(after) == len(before)
    different = [
        at
        for at in range(0, 8 * MIB, image.CHANGE)
        if before[at : at + image.CHANGE] != after[at : at + image.CHANGE]
    ]
    assert len(different) * image.CHANGE == told == 6 * image.CHANGE
    assert not image.same(one, changed)


def figure(seconds: float) -> dict[str, float]:
    return {
        "seconds": seconds,
        "processor": 2 * seconds,
        "memory": 10 * MIB,
        "servers": 0.0,
        "stored": 3 * MIB,
    }


ABOUT: dict[str, Any] = {
    "machine": {"processor": "fast"},
    "versions": {},
    "absent": [],
    "notes": {},
}


def some_results() -> Results:
    steps = ("full", "unchanged", "changed", "restore")
    return Results(
        size=64 * MIB,
        changed_bytes=2 * MIB,
        figures={
            "datera": {step: [figure(1.0), figure(2.0), figure(4.0)] for step in steps},
            "posix-zstd": {step: [figure(8.0), figure(8.0), figure(8.0)] for step in steps},
        },
        primitives=[{"floor": {"full": 0.5, "unchanged": 0.5, "restore": 0.5}}] * 3,
    )


def test_ratios_are_those_within_a_run() -> None:
    (full, *_) = report.ratios(some_results())
    assert (full["step"], full["peer"], full["target"]) == ("full", "posix-zstd", 7.0)
    assert (full["min"], full["median"], full["max"]) == (2.0, 4.0, 8.0)
    (floor, *_) = report.floors(some_results())
    assert (floor["min"], floor["median"], floor["max"]) == (12.5, 25.0, 50.0)


def test_whoever_is_not_installed_is_named() -> None:
    about = {**ABOUT, "absent": ["restic"]}
    text = report.tables(some_results(), about)
    assert "| restic " in text
    assert "absent" in text
    assert report.summary(some_results(), about)["stored of the changed bytes"] == 1.5


def test_a_peer_without_a_step_has_all_other_figures() -> None:
    results = some_results()
    results.figures["ceph"] = {
        step: [{**figure(6.0), "servers": 1.5} for _ in range(3)] for step in ("full", "restore")
    }
    text = report.tables(results, {**ABOUT, "notes": {"ceph": "It has no incremental."}})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["ceph", "6.00", "-", "-", "6.00", "10 MB", "3 MB"] in rows
    assert ["ceph", "12.00", "-", "-", "12.00", "10 MB", "3 MB"] in rows
    assert "ceph: It has no incremental." in text
    assert "ceph: its servers took of the cores besides: full 1.50, restore 1.50" in text
    assert "posix-zstd: its servers" not in text
    compared = [ratio["step"] for ratio in report.ratios(results) if ratio["peer"] == "ceph"]
    assert compared == ["full", "restore"]
    assert chart.middle(results.figures["ceph"], "full") == 6.0
    assert chart.middle(results.figures["ceph"], "changed") is None


def test_the_floor_is_spread_over_the_cores_but_for_reading(tmp_path: Path) -> None:
    one = tmp_path / "one"
    image.make(one, 2 * MIB, 7)
    found = primitives.measure(one)
    found.update(cores=2, seconds=dict.fromkeys(found["seconds"], 1.0))
    floor = primitives.floor(found)
    assert (floor["full"], floor["unchanged"]) == (2.5, 2.0)
    assert 1.0 < floor["restore"] < 2.0


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(process.Failed, match="no such thing"):
        process.run(
            [sys.executable, "-c", "raise SystemExit('no such thing')"],
            folder=tmp_path,
            environment={},
        )


@pytest.mark.parametrize("image", [None, 100 << 20])
def test_memory_that_is_added(tmp_path: Path, image: int | None) -> None:
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.truncate(image or 0)
    script = (
        "from pathlib import Path; from bench.process import Measured;"
        f"measured = Measured({f'Path({str(path)!r})' if image else ''});"
        "block = b'x' * (64 << 20); del block; print(measured.so_far()['memory'] >> 20)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 60 <= int(done.stdout) <= 80
