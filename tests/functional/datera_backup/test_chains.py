# SPDX-License-Identifier: Apache-2.0
"""A chain over several containers: each is there as long as a living backup needs it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

MIB = 2**20
SUPERBLOCKS = 4 * MIB
EDGES = 2 * 4096
"""Of a range those units stay in which something else lies as well."""
DAYS = [(0, 1, 2, 3), (0, 4), (1, 4), (2, 3)]
"""Which mebibytes of the volume are written before each backup."""


@dataclass
class Day:
    """A backup, what it holds, and the containers in which its bytes lie."""

    backup: Any
    content: bytes
    needs: set[str]


def noise(seed: int, size: int = MIB) -> bytes:
    return random.Random(seed).randbytes(size)


def driver_of(cloud: Any) -> Any:
    from datera_backup.driver import DateraBackupDriver

    return DateraBackupDriver(cloud.context)


def allocated(array: Any, name: str) -> int:
    """Bytes that a container takes on the thin volume."""
    blocks: int = array.data_file(name).stat().st_blocks
    return blocks * 512


@pytest.fixture(scope="module")
def saved_days(request: pytest.FixtureRequest, save_cloud: Any) -> Iterator[tuple[Path, list[Day]]]:
    """A cloud with so many backups; so many fill a container, in the tests as well."""
    from datera_backup.container.format import superblock

    count, of_each = request.param
    days: list[Day] = []

    def prepare(cloud: Any) -> None:
        volume, content = cloud.create_volume(1), bytearray(5 * MIB)
        holder: dict[int, str] = {}
        for number, parts in enumerate(DAYS[:count]):
            for part in parts:
                piece = noise(100 * number + part)
                content[part * MIB : (part + 1) * MIB] = piece
                cloud.write(volume, part * MIB, piece)
            backup = cloud.create_backup(volume, f"day{number}", incremental=number > 0)
            assert backup.status == "available", backup.fail_reason
            holder.update(dict.fromkeys(parts, backup.container))
            needs = {backup.container, *holder.values()}
            days.append(Day(backup, bytes(content), needs))
        assert len({day.backup.container for day in days}) == -(-count // of_each)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(superblock, "MAX_ENTRIES", of_each)
        yield save_cloud(prepare), days


@pytest.fixture
def beginning(saved_days: tuple[Path, list[Day]]) -> Path:
    """Each test begins with the chain."""
    return saved_days[0]


@pytest.fixture
def days(cloud: Any, saved_days: tuple[Path, list[Day]]) -> list[Day]:
    """The backups of the chain."""
    return [replace(day, backup=cloud.backup(day.backup.id)) for day in saved_days[1]]


def with_days(count: int, *, of_each: int = 1) -> pytest.MarkDecorator:
    """Let a test begin with so many ``days``, so many in each container."""
    return pytest.mark.parametrize(
        "saved_days", [(count, of_each)], ids=[f"{count}_days"], indirect=True
    )


def is_whole(cloud: Any, day: Day) -> bool:
    assert driver_of(cloud).verify(day.backup, lambda _done, _of: None) == []
    restored = cloud.restore_backup(day.backup)
    assert restored.status == "available", cloud.failures
    got: bytes = cloud.read(restored, 0, 2**30)
    cloud.delete_volume(restored)
    return got == day.content.ljust(len(got), b"\0")


def forget(cloud: Any, days: list[Day], which: int) -> None:
    day = days.pop(which)
    driver_of(cloud).forget(day.backup)
    day.backup.destroy()


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Both superblocks are overwritten while the block runs."""
    with open(path, "r+b") as file:
        good = file.read(SUPERBLOCKS)
        file.seek(0)
        file.write(noise(7, SUPERBLOCKS))
        file.flush()
        yield
        file.seek(0)
        file.write(good)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("saved_days", "order"),
    [((3, 1), (0, 2, 1)), ((3, 1), (2, 0, 1)), ((4, 2), (1, 3, 0, 2))],
    indirect=["saved_days"],
)
def test_a_container_is_there_exactly_as_long_as_it_is_needed(
    cloud: Any, days: list[Day], array: Any, order: tuple[int, ...]
) -> None:
    living = dict(enumerate(days))
    for number in order:
        forget(cloud, [living.pop(number)], 0)
        needed = {name for day in living.values() for name in day.needs}
        assert set(array.names) == needed
        for day in living.values():
            assert is_whole(cloud, day)
    array.assert_quiet()


@with_days(3)
def test_blocks_in_an_older_container_go_with_the_last_backup_that_needs_them(
    cloud: Any, days: list[Day], array: Any
) -> None:
    older = days[0].backup.container
    first = allocated(array, older)
    forget(cloud, days, 0)
    # The second backup overwrote one mebibyte of four.
    after_first = allocated(array, older)
    assert first - 2 * MIB < after_first <= first - MIB + EDGES
    forget(cloud, days, 0)
    # The third one overwrote another.
    assert after_first - 2 * MIB < allocated(array, older) <= after_first - MIB + EDGES
    assert is_whole(cloud, days[0])


@pytest.mark.faults
@pytest.mark.parametrize("then", [0, 1])
@with_days(4, of_each=2)
def test_beside_an_unreadable_container_a_deletion_keeps_the_room_until_the_next_one(
    cloud: Any, days: list[Day], array: Any, then: int, caplog: pytest.LogCaptureFixture
) -> None:
    older, younger = days[0].backup.container, days[2].backup.container
    before = allocated(array, younger)
    with unreadable(array.data_file(older)):
        forget(cloud, days, 2)
        assert set(array.names) == {older, younger}
    assert "keeps its space until the other containers of its chain can be read" in caplog.text
    assert allocated(array, younger) >= before
    for day in days:
        assert is_whole(cloud, day)
    forget(cloud, days, then)
    # The fourth backup needs the blocks of the third, and not its metadata.
    assert allocated(array, younger) <= before - 4096
    for day in days:
        assert is_whole(cloud, day)
    while days:
        forget(cloud, days, 0)
    assert array.names == []


@with_days(2)
def test_a_younger_container_that_cannot_be_read_keeps_the_older_one(
    cloud: Any, days: list[Day], array: Any
) -> None:
    older, younger = (day.backup.container for day in days)
    with unreadable(array.data_file(younger)):
        forget(cloud, days, 0)
        assert set(array.names) == {older, younger}
    assert is_whole(cloud, days[0])
    forget(cloud, days, 0)
    assert array.names == []


@with_days(2)
def test_an_unreadable_container_that_a_younger_one_needs_is_not_deleted(
    cloud: Any, days: list[Day], array: Any
) -> None:
    from datera_backup.errors import ContainerDamaged

    older = days[0].backup.container
    with (
        unreadable(array.data_file(older)),
        pytest.raises(ContainerDamaged, match="Delete the backups in them first"),
    ):
        driver_of(cloud).forget(days[0].backup)
    assert len(array.names) == 2
    for day in days:
        assert is_whole(cloud, day)


@with_days(3)
def test_a_deletion_that_stops_between_two_containers_is_made_again(
    cloud: Any, days: list[Day], array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.errors import ClusterFailed
    from datera_backup.storage.attachments import Attachments

    while len(days) > 1:
        forget(cloud, days, 0)
    last, delete = days[0].backup, Attachments.delete
    left: list[int] = []

    def only_one(attachments: Any, name: str) -> None:
        if left and left[-1] > len(array.names):
            raise ClusterFailed("the cluster went away")
        delete(attachments, name)

    monkeypatch.setattr(Attachments, "delete", only_one)
    for count in (3, 2):
        left.append(count)
        assert len(array.names) == count
        with pytest.raises(ClusterFailed):
            driver_of(cloud).forget(last)
        assert last.container in array.names
    left.append(1)
    driver_of(cloud).forget(last)
    assert array.names == []


@with_days(2)
def test_a_container_without_records_is_no_orphan_while_a_younger_one_needs_it(
    cloud: Any, days: list[Day], array: Any
) -> None:
    from datera_backup.errors import StillWanted

    older, younger = (day.backup.container for day in days)
    forget(cloud, days, 0)
    driver = driver_of(cloud)
    (orphan,) = driver.orphans()
    assert (orphan.name, orphan.backups) == (older, ())
    assert orphan.doubt == f"backups in {younger} have blocks in it, or may have"
    with pytest.raises(StillWanted, match="is not touched"):
        driver.remove_orphan(older)
    # The record that would tell it is lost, and the container that does cannot be read.
    days[0].backup.parent_id = None
    days[0].backup.save()
    with pytest.raises(StillWanted, match=f"backups in {younger} have blocks in it"):
        driver.remove_orphan(older)
    with (
        unreadable(array.data_file(younger)),
        pytest.raises(StillWanted, match=f"backups in {younger} have blocks in it, or may have"),
    ):
        driver.remove_orphan(older)
    assert set(array.names) == {older, younger}
    assert is_whole(cloud, days[0])


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[list[str]], list[str]]]]:
    """What the next lists of a chain are turned into; the last one goes for all further ones."""
    from datera_backup.storage.attachments import Attachments

    turns: list[Callable[[list[str]], list[str]]] = []
    real = Attachments.chain_of

    def chain_of(self: Attachments, name: str) -> list[str]:
        turn = turns.pop(0) if len(turns) > 1 else turns[0]
        return turn(real(self, name))

    with monkeypatch.context() as patched:
        patched.setattr(Attachments, "chain_of", chain_of)
        yield turns


@with_days(3)
def test_a_container_that_came_while_a_deletion_waited_keeps_what_it_needs(
    cloud: Any, days: list[Day], listings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup import cinder_record

    # As if the youngest had been begun only then.
    monkeypatch.setattr(cinder_record, "homes_of_children", lambda *_arguments: {})
    youngest = days[2].backup.container
    listings += [lambda chain: [one for one in chain if one != youngest], lambda chain: chain]
    forget(cloud, days, 1)
    assert all(is_whole(cloud, day) for day in days)


@with_days(2)
def test_nothing_is_given_back_while_the_home_of_a_child_is_not_listed(
    cloud: Any, days: list[Day], listings: list[Any]
) -> None:
    from datera_backup.errors import ContainerAbsenceUnproven

    child = days[1].backup
    listings.append(lambda chain: [one for one in chain if one != child.container])
    with pytest.raises(
        ContainerAbsenceUnproven, match=f"does not list container {child.container}"
    ):
        driver_of(cloud).forget(days[0].backup)
    listings[0] = lambda chain: chain
    forget(cloud, days, 0)
    assert is_whole(cloud, days[0])


@with_days(2)
def test_a_container_that_becomes_unreadable_in_between_is_not_deleted(
    cloud: Any, days: list[Day], array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.errors import ContainerUnreadable
    from datera_backup.storage import chains

    home = days[1].backup.container
    real = chains.open_all

    def opened(stack: Any, attachments: Any, names: Any, **options: Any) -> Any:
        found, unread = real(stack, attachments, names, **options)
        del found[home]
        return found, {**unread, home: ContainerUnreadable(f"Container {home} cannot be read")}

    with monkeypatch.context() as patched:
        patched.setattr(chains, "open_all", opened)
        with pytest.raises(ContainerUnreadable):
            driver_of(cloud).forget(days[1].backup)
    assert home in array.names
    forget(cloud, days, 1)
    assert array.names == [days[0].backup.container]


@with_days(2)
def test_with_an_unreadable_container_goes_what_it_kept_in_its_chain(
    cloud: Any, days: list[Day], array: Any
) -> None:
    younger = days[1].backup
    with unreadable(array.data_file(younger.container)):
        forget(cloud, days, 0)
        assert len(array.names) == 2
        assert cloud.delete_backup(younger) is None
    assert array.names == []
