# SPDX-License-Identifier: Apache-2.0
"""A backup is forgotten while its children live: they stay whole, and its room is given back."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MIB = 2**20
LARGE, SMALL = 16 * MIB, 2 * MIB


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def driver_of(cloud: Any) -> Any:
    from datera_backup.driver import DateraBackupDriver

    return DateraBackupDriver(cloud.context)


def allocated(array: Any, name: str) -> int:
    """Bytes that a container takes on the thin volume."""
    blocks: int = array.data_file(name).stat().st_blocks
    return blocks * 512


def locks(cloud: Any) -> list[str]:
    """The lock files that there are."""
    found = [path.name for path in cloud.directory.rglob("*datera-backup-*")]
    return [name for name in found if not name.endswith("-open")]


def forget(cloud: Any, backup: Any) -> None:
    """As whoever applies a retention does it."""
    driver_of(cloud).forget(backup)
    backup.destroy()


def is_whole(cloud: Any, backup: Any, expected: bytes) -> bool:
    """Whether the volume, beyond whose first bytes there are zeros, comes back."""
    assert driver_of(cloud).verify(backup, lambda _done, _of: None) == []
    restored = cloud.restore_backup(backup)
    assert restored.status == "available", cloud.failures
    got: bytes = cloud.read(restored, 0, 2**30)
    cloud.delete_volume(restored)
    return got == expected.ljust(len(got), b"\0")


@pytest.fixture(scope="module")
def saved_chain(save_cloud: Any) -> tuple[Path, list[tuple[str, bytes]]]:
    """A cloud with three backups, their identifiers and what they hold.

    The second overwrites most of the first, and so on.
    """
    taken = []

    def prepare(cloud: Any) -> None:
        volume = cloud.create_volume(1)
        content = bytearray(noise(0, LARGE))
        for number in range(3):
            content[: LARGE - SMALL] = noise(number, LARGE - SMALL)
            cloud.write(volume, 0, bytes(content))
            backup = cloud.create_backup(volume, f"day{number}", incremental=number > 0)
            assert backup.status == "available", backup.fail_reason
            taken.append((backup.id, bytes(content)))

    return save_cloud(prepare), taken


@pytest.fixture
def beginning(saved_chain: tuple[Path, list[Any]]) -> Path:
    """Each test begins with the chain."""
    return saved_chain[0]


@pytest.fixture
def chain(cloud: Any, saved_chain: tuple[Path, list[tuple[str, bytes]]]) -> list[tuple[Any, bytes]]:
    """Three backups and what they hold."""
    return [(cloud.backup(one), content) for one, content in saved_chain[1]]


@pytest.mark.parametrize("which", [0, 1])
def test_children_of_a_forgotten_backup_are_whole_and_its_room_is_given_back(
    cloud: Any, chain: list[tuple[Any, bytes]], array: Any, which: int
) -> None:
    gone, _ = chain.pop(which)
    before = allocated(array, gone.container)
    forget(cloud, gone)
    given_back = before - allocated(array, gone.container)
    assert LARGE - SMALL <= given_back <= LARGE + MIB
    for backup, expected in chain:
        assert is_whole(cloud, backup, expected)
    last, _ = chain[-1]
    cloud.write(cloud.volume(last.volume_id), 0, b"changed")
    younger = cloud.create_backup(cloud.volume(last.volume_id), incremental=True)
    assert is_whole(cloud, younger, b"changed" + chain[-1][1][7:])


def test_all_are_forgotten_one_by_one_and_the_last_takes_the_container(
    cloud: Any, chain: list[tuple[Any, bytes]], array: Any
) -> None:
    while chain:
        assert array.names == [chain[0][0].container]
        forget(cloud, chain.pop(0)[0])
        for backup, expected in chain:
            assert is_whole(cloud, backup, expected)
    assert array.names == []
    assert locks(cloud) == []


def test_forgetting_and_deleting_a_forgotten_backup_again_is_no_error(
    cloud: Any, chain: list[tuple[Any, bytes]], array: Any
) -> None:
    driver = driver_of(cloud)
    parent, _ = chain[0]
    driver.forget(parent)
    before = allocated(array, parent.container)
    driver.forget(parent)
    assert allocated(array, parent.container) == before
    assert driver.holds(parent) is False
    for backup, _ in chain:
        driver.forget(backup)
        backup.destroy()
    assert array.names == []
    for backup, _ in chain:
        driver.forget(backup)
        driver.delete_backup(backup)


def test_a_deletion_refuses_the_parent_that_may_be_forgotten(
    cloud: Any, chain: list[tuple[Any, bytes]], array: Any
) -> None:
    from datera_backup.errors import HasIncrementals

    driver = driver_of(cloud)
    before = allocated(array, chain[0][0].container)
    for backup, _ in chain[:2]:
        with pytest.raises(HasIncrementals):
            driver.delete_backup(backup)
    assert allocated(array, chain[0][0].container) == before
    assert driver.children_stand_alone is True
    for backup, expected in chain:
        assert is_whole(cloud, backup, expected)


@pytest.fixture
def few_entries(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let so few backups fill a container."""
    from datera_backup.container.format import superblock

    return lambda count: monkeypatch.setattr(superblock, "MAX_ENTRIES", count)


class Meanwhile:
    """Forgets a backup in another thread, as far as it gets while somebody has a lock."""

    def __init__(self, cloud: Any, backup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        from datera_backup.storage.locks import CloudLock

        self._refused = threading.Event()
        self.failures: list[Exception] = []
        self._backup, self._driver = backup, driver_of(cloud)
        self._thread = threading.Thread(target=self._forget)
        real = CloudLock.try_acquire

        def try_acquire(lock: Any) -> bool:
            got = real(lock)
            if not got and threading.current_thread() is self._thread:
                self._refused.set()
            return got

        monkeypatch.setattr(CloudLock, "try_acquire", try_acquire)

    def _forget(self) -> None:
        try:
            self._driver.forget(self._backup)
        except Exception as failure:
            self.failures.append(failure)

    def begin(self) -> None:
        """Return when it waits for a lock."""
        self._thread.start()
        assert self._refused.wait(30), self.failures

    @property
    def waits(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self.failures == []


@pytest.mark.parametrize("entries", [4096, 3], ids=["same_container", "new_container"])
def test_forgetting_a_parent_waits_for_the_child_that_is_being_written(
    cloud: Any,
    chain: list[tuple[Any, bytes]],
    array: Any,
    *,
    monkeypatch: pytest.MonkeyPatch,
    few_entries: Callable[[int], None],
    entries: int,
) -> None:
    from datera_backup.operations import create_backup, progress

    few_entries(entries)
    parent, expected = chain[2]
    meanwhile = Meanwhile(cloud, parent, monkeypatch)
    real, before = progress.run, allocated(array, parent.container)

    def run(job: Any, watch: Any) -> Any:
        meanwhile.begin()
        commit = real(job, watch)
        assert meanwhile.waits
        assert allocated(array, parent.container) >= before
        return commit

    monkeypatch.setattr(create_backup, "run", run)
    cloud.write(cloud.volume(parent.volume_id), 0, b"changed")
    child = cloud.create_backup(cloud.volume(parent.volume_id), incremental=True)
    meanwhile.end()
    assert child.status == "available", child.fail_reason
    assert (child.container == parent.container) is (entries > 3)
    parent.destroy()
    assert driver_of(cloud).holds(parent) is False
    for backup, content in (*chain[:2], (child, b"changed" + expected[7:])):
        assert is_whole(cloud, backup, content)


def test_a_child_whose_parent_was_forgotten_before_its_container_was_made_is_refused(
    cloud: Any,
    chain: list[tuple[Any, bytes]],
    array: Any,
    monkeypatch: pytest.MonkeyPatch,
    few_entries: Callable[[int], None],
) -> None:
    from datera_backup.storage import containers

    few_entries(3)
    parent, _ = chain[2]
    create = containers.create

    def forget_first(*arguments: Any) -> None:
        driver_of(cloud).forget(parent)
        create(*arguments)

    monkeypatch.setattr(containers, "create", forget_first)
    refused(cloud, parent, array)
    for backup, content in chain[:2]:
        assert is_whole(cloud, backup, content)


def test_a_child_whose_parent_is_forgotten_after_its_container_was_made_is_refused(
    cloud: Any,
    chain: list[tuple[Any, bytes]],
    array: Any,
    monkeypatch: pytest.MonkeyPatch,
    few_entries: Callable[[int], None],
) -> None:
    from datera_backup.operations.create_backup import CreateBackup

    few_entries(3)
    parent, _ = chain[2]
    meanwhile = Meanwhile(cloud, parent, monkeypatch)
    still = CreateBackup._still

    def forget_first(require_parent: Callable[[], None]) -> None:
        meanwhile.begin()
        still(require_parent)

    monkeypatch.setattr(CreateBackup, "_still", staticmethod(forget_first))
    refused(cloud, parent, array)
    meanwhile.end()
    for backup, content in chain[:2]:
        assert is_whole(cloud, backup, content)
    assert all(parent.container in name for name in locks(cloud))


def refused(cloud: Any, parent: Any, array: Any) -> None:
    cloud.write(cloud.volume(parent.volume_id), 0, b"changed")
    child = cloud.create_backup(cloud.volume(parent.volume_id), incremental=True)
    assert child.status == "error"
    assert "take a full backup" in child.fail_reason
    assert array.names == [parent.container]
    assert cloud.delete_backup(child) is None
