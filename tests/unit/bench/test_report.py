# SPDX-License-Identifier: Apache-2.0
"""The tables and the values that a benchmark reports."""

from __future__ import annotations

from typing import Any

from bench import chart, report, service
from bench.suite import Results

MIB = 1 << 20


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
    assert (full["step"], full["peer"], full["target"]) == ("full", "posix-zstd", 7.5)
    assert (full["min"], full["median"], full["max"]) == (2.0, 4.0, 8.0)
    (floor, *_) = report.floors(some_results())
    assert (floor["min"], floor["median"], floor["max"]) == (12.5, 25.0, 50.0)


def test_peers_that_are_not_installed_are_named() -> None:
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


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]


def slow_results(latency: float) -> Results:
    results = some_results()
    results.figures["restic"] = results.figures["posix-zstd"]
    results.latency = latency
    results.slowed = {
        "datera": {"full": [figure(1.5), figure(2.0), figure(5.0)]},
        "posix-zstd": {"full": [figure(12.0), figure(24.0), figure(8.0)]},
    }
    return results


def test_latency_stands_beside_the_quiet_figures_of_the_same_run() -> None:
    text = report.tables(slow_results(5.0), ABOUT)
    rows = cells(text)
    assert rows.count(["datera, 5 ms", "2.00", "-", "-", "-", "10 MB", "3 MB"]) == 1
    assert ["full", "datera", "2.00", "2.00", "1.2", "1.4", "10 MB"] in rows
    assert ["full", "posix-zstd", "8.00", "12.00", "1.5", "", "10 MB"] in rows
    assert ["not applicable", "restic", "-", "-", "-", "", "-"] in rows
    assert ["full", "posix-zstd", "2.0", "4.0", "8.0", "7.5", "8.0"] in rows
    assert ["full", "restic", "2.0", "4.0", "8.0", "4.7", "-"] in rows
    found = report.summary(slow_results(5.0), ABOUT)["latency"]
    assert found["milliseconds"] == 5.0
    assert (found["ratios"][0]["min"], found["ratios"][0]["max"]) == (1.0, 1.5)


def test_another_latency_has_no_targets() -> None:
    assert report.latencies(slow_results(2.0))[0]["target"] is None
    assert report.latencies(slow_results(5.0))[0]["target"] == 1.4


def test_without_a_latency_nothing_is_told_of_it() -> None:
    assert "not applicable" not in report.tables(some_results(), ABOUT)
    assert list(chart.rows_of(report.summary(some_results(), ABOUT))) == ["datera", "posix-zstd"]


def test_the_chart_has_a_row_for_what_latency_makes_of_ours() -> None:
    rows = chart.rows_of(report.summary(slow_results(5.0), ABOUT))
    assert list(rows) == ["datera", "datera, 5 ms", "posix-zstd", "restic"]
    assert chart.middle(rows["datera, 5 ms"], "full") == 2.0
    assert len({chart.colour_of(row) for row in rows}) == 3


def test_without_peers_nothing_is_compared() -> None:
    results = some_results()
    assert "How many times longer a peer took" in report.tables(results, ABOUT)
    del results.figures["posix-zstd"]
    assert "How many times longer a peer took" not in report.tables(results, ABOUT)


def test_nothing_is_wider_than_a_terminal() -> None:
    results = slow_results(5.0)
    for figures in (results.figures, results.slowed):
        figures["datera-sha256"] = figures["datera"]
    about = {
        **ABOUT,
        "versions": dict.fromkeys(("backup-dispatch", "cinder", "zstandard"), "2026.12.1.0"),
        "notes": {"ceph": "It has no incremental, " + "and " * 20},
    }
    stall = {"seconds": 2.0, "around": 1.0, "stall": 0.1}
    texts = report.tables(results, about), service.sentence(dict.fromkeys(service.ACTIONS, stall))
    assert max(len(line) for text in texts for line in text.splitlines()) <= 80
