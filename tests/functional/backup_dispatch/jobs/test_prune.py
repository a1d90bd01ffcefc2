# SPDX-License-Identifier: Apache-2.0
"""A run deletes through the service, and comes to terms with all that happens beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from backup_dispatch.calls.retirement import BEGUN, MARK, REQUESTED, REQUESTED_AGAIN

pytestmark = pytest.mark.release

VOLUME = str(UUID(int=1))


def plan_of(past: Any, last: int) -> Any:
    """What a policy says."""
    from backup_dispatch.jobs.prune.policy import Policy

    return past.plan(Policy(last=last))


def run(past: Any, last: int, **how: Any) -> list[tuple[str, str, str]]:
    """Prune as far as a policy says; what became of each backup, and why."""
    done = past.carry_out(plan_of(past, last), **how)
    return [(one.backup.name, what.outcome.value, what.why) for one, what in done]


def chain(hours: int) -> dict[int, int | None]:
    return {hour: hour - 1 if hour else None for hour in range(hours)}


def set_up(past: Any, backup: str, **changes: Any) -> None:
    """As an earlier run, or somebody else, has left a record."""
    record = past.cinder.backup(backup)
    mark = changes.pop("mark", None)
    if mark:
        record.metadata = {MARK: mark}
    for name, value in changes.items():
        setattr(record, name, value)
    record.save()


def test_children_get_their_grandparent_where_they_stand_alone(past: Any) -> None:
    ids = past.add("array", chain(5))
    past.count_quota()
    before = {one: past.shelves.content(one) for one in ids}
    done = run(past, last=2)
    assert [name for name, *_ in done] == ["array_0", "array_1", "array_2"]
    assert {what for _, what, _ in done} == {"gone"}
    assert past.records() == {ids[3]: (None, 1, "available"), ids[4]: (ids[3], 0, "available")}
    assert not past.cinder.backup(ids[3]).is_incremental
    assert past.used() == {"backups": 2, "backup_gigabytes": 2}
    assert {one: past.shelves.content(one) for one in ids[3:]} == {
        one: before[one] for one in ids[3:]
    }
    assert past.properties() == []


def test_the_service_counts_the_children_that_it_hands_over(past: Any) -> None:
    ids = past.add("array", {0: None, 1: 0, 2: 1, 3: 1})
    set_up(past, ids[1], mark=REQUESTED, status="deleting")
    past.cinder.backups.backup_rpcapi.delete_backup(past.cinder.context, past.cinder.backup(ids[1]))
    assert past.cinder.failures == []
    assert past.records() == {
        ids[0]: (None, 2, "available"),
        ids[2]: (ids[0], 0, "available"),
        ids[3]: (ids[0], 0, "available"),
    }


def test_a_chain_goes_newest_first_and_only_when_all_of_it_may(past: Any) -> None:
    ids = past.add("tape", {0: None, 1: 0, 2: 1, 10: None, 11: 10, 20: None})
    past.count_quota()
    done = run(past, last=2)
    assert [name for name, *_ in done] == ["tape_2", "tape_1", "tape_0"]
    assert past.records() == {
        ids[3]: (None, 1, "available"),
        ids[4]: (ids[3], 0, "available"),
        ids[5]: (None, 0, "available"),
    }
    assert past.used() == {"backups": 3, "backup_gigabytes": 3}


def test_a_forever_of_the_user_keeps_the_backup_and_what_it_is_built_on(past: Any) -> None:
    keep = {1: {"backup_keep": "forever"}}
    ids = past.add("tape", {0: None, 1: 0, 2: 1, 3: None}, properties=keep)
    run(past, last=1)
    assert set(past.records()) == {ids[0], ids[1], ids[3]}


def test_a_word_that_the_user_gives_during_the_run_counts(
    past: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.jobs.prune.deletion import Deletions

    ids = past.add("tape", dict.fromkeys(range(3)))
    read = Deletions._read

    def read_after_the_user(self: Any, backup: str) -> Any:
        if backup == ids[1]:
            set_up(past, backup)
            record = past.cinder.backup(backup)
            record.metadata = {"backup_keep": "forever"}
            record.save()
        return read(self, backup)

    monkeypatch.setattr(Deletions, "_read", read_after_the_user)
    done = run(past, last=1)
    assert done == [("tape_0", "gone", ""), ("tape_1", "kept", "backup_keep=forever")]
    assert set(past.records()) == set(ids[1:])


@pytest.mark.parametrize(
    ("manager", "key", "goes"),
    [
        ("barbican", "4a7e2c16-0000-4000-8000-000000000000", False),
        ("barbican", "00000000-0000-0000-0000-000000000000", True),
        ("vault", "4a7e2c16-0000-4000-8000-000000000000", True),
    ],
)
def test_a_key_that_only_its_owner_can_delete_keeps_the_backup(
    past: Any, manager: str, key: str, goes: bool
) -> None:
    from oslo_config import cfg

    ids = past.add("tape", dict.fromkeys(range(2)))
    set_up(past, ids[0], encryption_key_id=key)
    cfg.CONF.set_override("backend", manager, group="key_manager")
    try:
        decided = plan_of(past, last=1)
    finally:
        cfg.CONF.clear_override("backend", group="key_manager")
    assert bool(decided.going) is goes
    assert goes or decided.decisions[0].why == ["only its owner can delete its key"]


# Beside a backup that is being made


@pytest.fixture
def child_comes(past: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let an incremental on a backup begin right after a step of its deletion."""

    def arrange(backend: str, on: int, where: Any, step: str) -> None:
        real = getattr(where, step)
        come: list[int] = []

        def and_a_child_comes(*arguments: Any, **named: Any) -> Any:
            outcome = real(*arguments, **named)
            if not come:
                come.append(1)
                past.add(backend, {90: on}, status="creating")
            return outcome

        changed: Any = and_a_child_comes
        monkeypatch.setattr(
            where, step, staticmethod(changed) if isinstance(where, type) else changed
        )

    return arrange


@pytest.mark.parametrize("backend", ["tape", "array"])
def test_a_parent_whose_child_begins_after_the_plan_is_given_back(
    past: Any, child_comes: Callable[..., None], backend: str
) -> None:
    from backup_dispatch.calls import retirement

    ids = past.add(backend, {0: None, 1: None})
    child_comes(backend, 0, retirement, "mark")
    ((_, outcome, why),) = run(past, last=1)
    assert outcome == "kept"
    assert past.id_of(backend, VOLUME, 90) in why
    assert past.cinder.failures == [], "the service was not even asked"
    assert past.cinder.backup(ids[0]).status == "available"
    assert past.properties() == []
    assert past.shelves.content(ids[0])


@pytest.mark.parametrize("backend", ["tape", "array"])
def test_a_parent_whose_child_begins_after_the_request_is_given_back(
    past: Any, child_comes: Callable[..., None], backend: str
) -> None:
    from backup_dispatch.jobs.prune.deletion import Deletions

    ids = past.add(backend, {0: None, 1: None})
    child_comes(backend, 0, Deletions, "_against")
    ((_, outcome, why),) = run(past, last=1)
    assert outcome == "kept"
    assert why.startswith(f"Backup {ids[0]} is the parent of backup ")
    record = past.cinder.backup(ids[0])
    assert (record.status, record.fail_reason) == ("available", None)
    assert past.properties() == []
    assert past.shelves.content(ids[0])


def test_a_restore_that_begins_meanwhile_keeps_the_backup(
    past: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.calls import retirement

    ids = past.add("tape", dict.fromkeys(range(2)))
    real = retirement.mark

    def mark_and_restore(*arguments: Any) -> bool:
        done = real(*arguments)
        set_up(past, ids[0], status="restoring")
        return done

    monkeypatch.setattr(retirement, "mark", mark_and_restore)
    assert run(past, last=1) == [("tape_0", "kept", "is restoring by now")]
    assert past.properties() == []


# After a run that was killed


@pytest.mark.parametrize("mark", [REQUESTED, REQUESTED_AGAIN])
def test_a_request_that_was_never_sent_is_sent_by_the_next_run(past: Any, mark: str) -> None:
    ids = past.add("array", chain(3))
    set_up(past, ids[0], status="deleting", mark=mark)
    assert run(past, last=9) == [("array_0", "gone", "")]
    assert past.time.seconds >= 60, "it may have been on its way"
    assert past.records()[ids[1]] == (None, 1, "available")


def test_a_deletion_that_the_service_has_begun_is_waited_for(past: Any) -> None:
    ids = past.add("tape", dict.fromkeys(range(2)))
    set_up(past, ids[0], status="deleting", mark=BEGUN)
    ((name, outcome, why),) = run(past, patience=90.0, last=9)
    assert (name, outcome, why) == ("tape_0", "not known", "testhost is still deleting it")
    assert past.time.seconds >= 90
    past.cinder.restart_backup_manager()
    assert set(past.records()) == {ids[1]}


@pytest.mark.parametrize("status", ["error", "error_deleting"])
def test_a_deletion_that_failed_is_made_again(past: Any, status: str) -> None:
    ids = past.add("tape", dict.fromkeys(range(2)))
    set_up(past, ids[0], status=status, fail_reason="the tape tore", mark=BEGUN)
    assert run(past, last=9) == [("tape_0", "gone", "")]
    assert set(past.records()) == {ids[1]}


def test_a_failed_backup_that_no_policy_has_chosen_is_left_alone(past: Any) -> None:
    ids = past.add("tape", {0: None}, status="error") + past.add("tape", {1: None, 2: None})
    assert run(past, last=1) == [("tape_1", "gone", "")]
    assert set(past.records()) == {ids[0], ids[2]}


def test_a_refused_deletion_that_nobody_saw_is_given_back(past: Any) -> None:
    ids = past.add("tape", {0: None, 1: 0})
    refusal = f"Backup {ids[0]} is the parent of backup {ids[1]}: delete that one first."
    set_up(past, ids[0], status="error", fail_reason=refusal, mark=BEGUN)
    assert run(past, last=9) == [("tape_0", "kept", refusal)]
    assert past.records()[ids[0]] == (None, 1, "available")


def test_a_mark_of_a_backup_that_stays_is_taken_away(past: Any) -> None:
    ids = past.add("tape", dict.fromkeys(range(2)))
    set_up(past, ids[0], mark=REQUESTED)
    assert run(past, last=9) == []
    assert past.properties() == []


def test_wrong_counts_of_children_are_corrected(past: Any) -> None:
    ids = past.add("tape", {0: None, 1: 0, 2: 0})
    set_up(past, ids[0], num_dependent_backups=7)
    set_up(past, ids[1], num_dependent_backups=1)
    run(past, last=9)
    assert {one: count for one, (_, count, _) in past.records().items()} == dict(
        zip(ids, [2, 0, 0], strict=True)
    )


# Failures


def test_a_failed_deletion_is_told_and_keeps_what_it_is_built_on(
    past: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fixtures.backends.lasting.store import LastingDriver

    ids = past.add("tape", {0: None, 1: 0, 2: 1, 3: None})
    real = LastingDriver.delete_backup

    def tear(self: Any, backup: Any) -> None:
        if backup.id == ids[1]:
            raise RuntimeError("the tape tore")
        real(self, backup)

    monkeypatch.setattr(LastingDriver, "delete_backup", tear)
    assert run(past, last=1) == [
        ("tape_2", "gone", ""),
        ("tape_1", "failed", "Backup backend tape failed: RuntimeError: the tape tore"),
        ("tape_0", "kept", f"for {ids[1]}"),
    ]
    monkeypatch.undo()
    assert run(past, last=1) == [("tape_1", "gone", ""), ("tape_0", "gone", "")]


def test_a_bus_that_takes_no_message_ends_the_run_and_the_next_one_goes_on(
    past: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinder.backup.rpcapi import BackupAPI

    past.add("tape", dict.fromkeys(range(4)))

    def lost(*_arguments: Any) -> None:
        raise TimeoutError("no bus")

    monkeypatch.setattr(BackupAPI, "delete_backup", lost)
    done = run(past, last=1)
    assert [outcome for _, outcome, _ in done] == ["not known"] * 3
    assert [status for *_, status in past.records().values()].count("deleting") == 1
    monkeypatch.undo()
    assert {outcome for _, outcome, _ in run(past, last=1)} == {"gone"}
    assert len(past.records()) == 1


def test_without_a_service_nothing_is_touched(past: Any) -> None:
    from cinder import objects

    past.add("tape", dict.fromkeys(range(3)))
    for service in objects.ServiceList.get_all(past.cinder.context_for_services()):
        service.disabled = True
        service.save()
    before = past.records()
    done = run(past, last=1)
    assert {outcome for _, outcome, _ in done} == {"not known"}
    assert "No cinder-backup is up" in done[0][2]
    assert past.records() == before
    assert past.properties() == []


def test_a_backend_that_is_down_is_left_and_the_others_are_pruned(past: Any) -> None:
    from backup_dispatch.errors import BackendDown

    past.add("tape", dict.fromkeys(range(3)))
    left = past.add("disk", dict.fromkeys(range(3)), volume=str(UUID(int=2)))

    def require_up(backend: Any) -> None:
        if backend.name == "disk":
            raise BackendDown("disk", "it is on fire")

    assert {(name[:4], outcome) for name, outcome, _ in run(past, 1, require_up=require_up)} == {
        ("tape", "gone"),
        ("disk", "not known"),
    }
    assert set(left) < set(past.records())


def test_a_second_message_for_a_deleted_backup_counts_nothing_twice(past: Any) -> None:
    ids = past.add("tape", {0: None, 1: 0, 2: None})
    past.count_quota()
    set_up(past, ids[1], mark=REQUESTED)
    record = past.cinder.backup(ids[1])
    record.status = "deleting"
    record.save()
    for _ in range(2):
        past.cinder.backups.backup_rpcapi.delete_backup(past.cinder.context, record)
    assert len(past.cinder.failures) == 1
    assert past.used() == {"backups": 2, "backup_gigabytes": 2}
    assert past.records()[ids[0]] == (None, 0, "available")


def test_a_user_may_not_delete_a_parent_by_marking_it(past: Any) -> None:
    from cinder import exception

    ids = past.add("array", chain(2))
    set_up(past, ids[0], mark=REQUESTED)
    with pytest.raises(exception.InvalidBackup):
        past.cinder.delete_backup(past.cinder.backup(ids[0]))
