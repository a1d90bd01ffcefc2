# SPDX-License-Identifier: Apache-2.0
"""Which backups a run verifies, and in which order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from cinder import objects

objects.register_all()

from backup_dispatch.backup_rows import Row  # noqa: E402 - after Cinder's objects
from backup_dispatch.drivers.verification import Verdict  # noqa: E402
from backup_dispatch.jobs.remembered import Past, Remembered  # noqa: E402
from backup_dispatch.jobs.verification.queue import Known, Queue, Wanted, queued  # noqa: E402

NOW = datetime(2026, 11, 30)
LAYERS, WHOLE = "layers", "whole"


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def row(name: str, age: float, parent: str | None = None, **other: Any) -> Row:
    values = {"size": 1, "status": "available", "service": LAYERS, **other}
    return Row(
        id=name, display_name=name, project_id="p", volume_id="v", created_at=ago(age),
        parent_id=parent, **values,
    )  # fmt: skip


def sound(days: float, *, read: float | None = None) -> Past:
    return Past(Remembered(Verdict.SOUND, ago(days), ago(days if read is None else read)))


def damaged(days: float) -> Past:
    return Past(Remembered(Verdict.DAMAGED, ago(days), ago(days), "mark"))


def queue_of(rows: list[Row], pasts: dict[str, Past] | None = None, **wanted: Any) -> Queue:
    known = Known({one.id: one for one in rows}, pasts or {}, lambda service: service == LAYERS)
    return queued(known, Wanted(**wanted), NOW)


def order(queue: Queue) -> list[str]:
    return [item.row.id for item in queue.items]


def test_never_verified_first_then_the_longest_unverified() -> None:
    rows = [row(name, 90 - place) for place, name in enumerate("abcd")]
    queue = queue_of(rows, {"a": sound(2), "b": sound(40), "d": sound(5, read=50)})
    assert [(item.row.id, item.why) for item in queue.items] == [
        ("c", "never verified"),
        ("d", "sound 5 days ago"),
        ("b", "sound 40 days ago"),
        ("a", "sound 2 days ago"),
    ]


def test_attempt_without_a_verdict_lets_others_have_their_turn_first() -> None:
    rows = [row("a", 9), row("b", 8), row("c", 7)]
    queue = queue_of(rows, {"a": Past(tried=ago(3)), "c": sound(5)})
    assert order(queue) == ["b", "c", "a"]
    assert queue.items[2].why == "never verified, tried 3 days ago"


def test_what_a_backup_builds_on_comes_before_it_and_never_twice() -> None:
    rows = [row("leaf", 1, "middle"), row("middle", 2, "full"), row("full", 3), row("other", 9)]
    queue = queue_of(rows, newer_than=timedelta(days=1.5))
    assert order(queue) == ["full", "middle", "leaf"]
    assert queue.items[0].why == "backup leaf builds on it"
    assert [item.has_turn for item in queue.items] == [False, False, True]
    assert order(queue_of(rows)) == ["other", "full", "middle", "leaf"]


def test_sound_ancestor_is_not_read_again_for_its_children() -> None:
    rows = [row("full", 60), row("middle", 50, "full"), row("leaf", 1, "middle")]
    pasts = {"full": sound(20), "middle": sound(20)}
    assert order(queue_of(rows, pasts, newer_than=timedelta(days=2))) == ["leaf"]
    pasts["full"] = sound(31)
    assert order(queue_of(rows, pasts, newer_than=timedelta(days=2))) == ["full", "leaf"]
    # It has a turn of its own, which the leaf, never read, must not wait for.
    assert order(queue_of(rows, pasts)) == ["leaf", "full", "middle"]


def test_damaged_ancestor_is_read_again_before_a_child_is_judged() -> None:
    rows = [row("full", 60), row("leaf", 1, "full")]
    assert order(queue_of(rows, {"full": damaged(1)})) == ["full", "leaf"]


def test_backup_whose_chain_is_not_complete_is_verified_whole() -> None:
    rows = [
        row("full", 9), row("child", 8, "full"), row("lost", 7, "gone"), row("of_error", 6, "bad"),
        row("bad", 7, status="error"), row("ceph", 5, service=WHOLE),
        row("one", 4, "two"), row("two", 3, "one"),
    ]  # fmt: skip
    layered = {item.row.id: item.layered for item in queue_of(rows).items}
    assert layered == {
        "full": True, "child": True, "lost": False, "of_error": False, "ceph": False,
        "one": False, "two": False,
    }  # fmt: skip


def test_what_was_verified_since_has_no_turn() -> None:
    rows = [row("a", 90), row("b", 80), row("c", 70), row("d", 60)]
    pasts = {"a": sound(29), "b": sound(31), "c": damaged(31), "d": damaged(2)}
    queue = queue_of(rows, pasts, unverified_since=timedelta(days=30))
    assert order(queue) == ["b", "c"]
    assert queue.selected == 4


def test_own_data_read_since_is_not_read_again_for_a_new_verdict() -> None:
    rows = [row("full", 90), row("leaf", 80, "full")]
    pasts = {"full": sound(40), "leaf": sound(40, read=10)}
    queue = queue_of(rows, pasts, unverified_since=timedelta(days=30))
    assert [(item.row.id, item.reads) for item in queue.items] == [("full", True), ("leaf", False)]


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.01, "a"), (0.25, "a"), (0.3, "ab"), (0.75, "abc"), (0.8, "abcd"), (1.0, "abcd")],
)
def test_share_is_of_the_sizes_of_all_that_is_selected(share: float, expected: str) -> None:
    rows = [row(name, 9 - place, size=10) for place, name in enumerate("abcd")]
    rows.append(row("swift", 30, size=1000, service="other"))
    chosen = frozenset({LAYERS})
    assert "".join(order(queue_of(rows, share=share, services=chosen))) == expected


def test_shares_of_runs_one_after_the_other_cover_all() -> None:
    rows = [row(f"{number}", 99 - number, size=1 + number % 7) for number in range(40)]
    pasts: dict[str, Past] = {}
    for number in range(10):
        for item in queue_of(rows, pasts, share=0.1).items:
            pasts[item.row.id] = sound(-number / 1000)
    assert len(pasts) == len(rows)


@pytest.mark.parametrize("status", ["creating", "deleting", "error", "error_deleting"])
def test_backups_in_other_states_have_no_turn(status: str) -> None:
    assert order(queue_of([row("a", 1, status=status), row("b", 1, status="restoring")])) == ["b"]


def test_damage_reaches_all_descendants() -> None:
    rows = [row("a", 9), row("b", 8, "a"), row("c", 7, "b"), row("d", 7, "a"), row("e", 7)]
    known = Known({one.id: one for one in rows}, {}, lambda _service: True)
    assert {one.id for one in known.descendants("a")} == {"b", "c", "d"}
    assert known.descendants("c") == []


def test_long_chain_with_little_time_a_night_is_read_round_and_round() -> None:
    """Thirty of 365 backups a night: nothing waits for ever, and each is read once a round."""
    rows = [row(f"{n:03}", 400 - n, f"{n - 1:03}" if n else None) for n in range(365)]
    pasts: dict[str, Past] = {}
    reads = dict.fromkeys((one.id for one in rows), 0)
    known = {one.id: one for one in rows}
    for night in range(26):
        now = NOW + timedelta(days=night)
        queue = queued(Known(known, pasts, lambda _service: True), Wanted(), now)
        for item in queue.items[:30]:
            reads[item.row.id] += 1
            pasts[item.row.id] = Past(Remembered(Verdict.SOUND, now, now))
    assert set(reads.values()) == {2, 3}
