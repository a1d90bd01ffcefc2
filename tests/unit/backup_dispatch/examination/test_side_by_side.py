# SPDX-License-Identifier: Apache-2.0
"""All backends are asked at once, and none delays the others."""

from __future__ import annotations

import threading

from backup_dispatch.examination.side_by_side import answers


def test_all_run_side_by_side() -> None:
    together = threading.Barrier(3, timeout=30)
    found = answers(dict.fromkeys("abc", together.wait), 60)
    assert [answer.up for answer in found.values()] == [True] * 3
    assert list(found) == ["a", "b", "c"]


def test_backends_are_up_down_or_timed_out() -> None:
    never = threading.Event()

    def fails() -> None:
        raise ConnectionError("nobody\nthere")

    found = answers({"silent": never.wait, "up": dict, "down": fails}, 0.5)
    never.set()
    assert [answer.up for answer in found.values()] == [False, True, False]
    assert found["down"].reason == "ConnectionError: nobody there"
    assert found["silent"].reason == "it has not answered within 0.5 seconds"
    assert found["silent"].seconds == 0.5
    assert found["up"].reason == ""
