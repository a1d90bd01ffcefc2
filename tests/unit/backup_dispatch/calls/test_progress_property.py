# SPDX-License-Identifier: Apache-2.0
"""How far an operation is, in words."""

from __future__ import annotations

import pytest
from cinder import objects

objects.register_all()

from backup_dispatch.calls.progress_property import told  # noqa: E402 - after Cinder's objects
from backup_dispatch.calls.stall import Clock, Operation, Sight  # noqa: E402

MB, GB = 1000**2, 1000**3


@pytest.mark.parametrize(
    ("seen", "total", "text"),
    [
        ([(0.0, 0), (15.0, 1500 * MB)], 6 * GB, "25 %, 100 MB/s, less than a minute left"),
        ([(0.0, 0), (15.0, 1500 * MB)], 60 * GB, "2 %, 100 MB/s, 10 min left"),
        ([(0.0, 0), (15.0, 150 * MB)], 360 * GB, "0 %, 10 MB/s, 10 h left"),
        ([(0.0, 0), (15.0, 1500 * MB)], 0, "1.5 GB, 100 MB/s"),
        ([(30.0, 900 * MB), (45.0, 900 * MB)], GB, "90 %, 0 MB/s"),
        ([(0.0, 0), (15.0, 3 * GB)], 2 * GB, "100 %, 200 MB/s, less than a minute left"),
        ([(0.0, 0)], GB, "0 %, 0 MB/s"),
    ],
)
def test_progress_in_words(seen: list[tuple[float, int]], total: int, text: str) -> None:
    assert told(seen, total) == text


def test_amount_that_a_driver_reports_counts_instead_of_what_is_seen() -> None:
    operation = Operation("backup b", "east", Sight.ALL, Clock())
    moved = operation.moved_bytes
    moved.count(5)
    moved.skip(2)
    operation.reported("reading tape 7")
    assert (moved.of(0), moved.of(20)) == ((5, 0), (7, 20))
    operation.reported("300 of 1000 bytes done")
    moved.count(50)
    assert moved.of(20) == (300, 1000)
