# SPDX-License-Identifier: Apache-2.0
"""Snapshots of several volumes at one moment: given where they can be, refused where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cinder import exception, objects

from tests.functional.datera_volume.versions.conftest import consistent_group

HOST = {"initiator": "iqn.1994-05.com.redhat:one", "host": "one"}


@pytest.fixture
def consistent(array: Any) -> dict[str, Any]:
    """A group, as far as the driver looks at it."""
    return consistent_group(array)


@pytest.fixture
def consistent_alone(recent: Any) -> dict[str, Any]:
    """The same of one cluster."""
    return consistent_group(recent)


def unmade(array: Any, volume: Any) -> Any:
    snapshot = objects.Snapshot(
        array.service.context,
        volume_id=volume.id,
        volume_size=volume.size,
        project_id=volume.project_id,
        user_id=volume.user_id,
        status="creating",
    )
    snapshot.create()
    return snapshot


def path_of(array: Any, volume: Any) -> str:
    """Where the bytes of a volume lie."""
    return str(array.emulator.cluster.files.path(array.stored(volume)[2].file))


def fill(array: Any, volume: Any, word: bytes) -> None:
    """Write a word at the beginning and at the end of a volume of 1 GiB."""
    with open(path_of(array, volume), "r+b") as file:
        for offset in (0, 2**30 - len(word)):
            file.seek(offset)
            file.write(word)


def words(array: Any, volume: Any) -> set[bytes]:
    """What stands there."""
    with open(path_of(array, volume), "rb") as file:
        first = file.read(6)
        file.seek(2**30 - 6)
        return {first, file.read(6)}


def test_the_lifecycle_of_a_group_snapshot(array: Any, consistent: dict[str, Any]) -> None:
    driver, volumes = array.driver, [array.volume(), array.volume()]
    assert driver.create_group(None, consistent) == {"status": "available"}
    assert driver.update_group(None, consistent, volumes) == (None, None, None)
    snapshots = [unmade(array, volume) for volume in volumes]
    driver.initialize_connection(volumes[1], HOST)
    with pytest.raises(exception.InvalidVolume, match=f"{volumes[1].id} is attached"):
        driver.create_group_snapshot(None, consistent, snapshots)
    assert all(not array.stored(volume)[2].snapshots for volume in volumes)
    driver.terminate_connection(volumes[1], HOST)
    driver.initialize_connection(volumes[0], HOST)
    driver.terminate_connection(volumes[0], HOST)

    for volume, word in zip(volumes, (b"then 1", b"then 2"), strict=True):
        fill(array, volume, word)
    group, each = driver.create_group_snapshot(None, consistent, snapshots)
    assert group == {"status": "available"}
    assert each == [{"id": one.id, "status": "available"} for one in snapshots]
    for volume, word in zip(volumes, (b"now 1!", b"now 2!"), strict=True):
        fill(array, volume, word)
    copies = [array.record(1, snapshot_id=one.id) for one in reversed(snapshots)]
    driver.create_group_from_src(None, consistent, copies, consistent, snapshots)
    others = [array.record(1, source_volid=one.id) for one in volumes]
    driver.create_group_from_src(
        None, consistent, others, source_group=consistent, source_vols=volumes
    )
    assert len(array.emulator.cluster.app_instances) == 6
    assert [words(array, one) for one in copies] == [{b"then 2"}, {b"then 1"}]
    assert [words(array, one) for one in others] == [{b"now 1!"}, {b"now 2!"}]
    assert driver.delete_group_snapshot(None, consistent, snapshots)[0] == {"status": "deleted"}
    for members in (volumes, copies, others):
        assert driver.delete_group(None, consistent, members)[0] == {"status": "deleted"}
    assert array.emulator.cluster.app_instances == {}


def test_volumes_that_were_never_attached_are_quiesced(recent: Any) -> None:
    """They are online as the cluster created them, without initiators."""
    volumes = [recent.volume(), recent.volume()]
    assert {recent.stored(volume)[0].admin_state for volume in volumes} == {"online"}
    with recent.driver._quiesced(volumes):
        pass


def test_a_group_snapshot_that_fails_leaves_no_snapshot(recent: Any) -> None:
    from datera_volume.features import groups

    taken: list[str] = []

    def make(one: str) -> None:
        if one == "second":
            raise exception.VolumeBackendAPIException(data="full")
        taken.append(one)

    class Named(str):
        id = "an id"

    with pytest.raises(exception.VolumeBackendAPIException, match="full"):
        groups._made([Named("first"), Named("second")], make, taken.remove)
    assert taken == []


@pytest.mark.parametrize("failing", [1, 2])
def test_a_snapshot_that_was_taken_and_then_failed_is_none_of_the_group(
    recent: Any, consistent_alone: dict[str, Any], failing: int
) -> None:
    volumes = [recent.volume(), recent.volume()]
    snapshots = [unmade(recent, volume) for volume in volumes]
    fault = recent.emulator.faults.answer(
        403,
        {"message": "not now"},
        method="GET",
        path=f".*/{recent.stored(volumes[failing - 1])[0].id}/.*/snapshots/[0-9.]+",
    )
    with pytest.raises(exception.VolumeBackendAPIException, match="not now"):
        recent.driver.create_group_snapshot(None, consistent_alone, snapshots)
    assert fault.hits == 1
    assert [len(recent.stored(volume)[2].snapshots) for volume in volumes] == [0, 0]


def test_a_group_that_asks_for_no_consistency_is_left_to_cinder(recent: Any) -> None:
    plain = {"group_type_id": None}
    driver = recent.driver
    calls: tuple[Callable[[], Any], ...] = (
        lambda: driver.create_group(None, plain),
        lambda: driver.update_group(None, plain),
        lambda: driver.delete_group(None, plain, []),
        lambda: driver.create_group_snapshot(None, plain, []),
        lambda: driver.delete_group_snapshot(None, plain, []),
        lambda: driver.create_group_from_src(None, plain, []),
    )
    for call in calls:
        with pytest.raises(NotImplementedError):
            call()


def test_a_group_that_is_deleted_leaves_no_lock(recent: Any, consistent_alone: Any) -> None:
    before = recent.lock_files()
    driver, volumes = recent.driver, [recent.volume(), recent.volume()]
    driver.initialize_connection(volumes[0], HOST)
    driver.terminate_connection(volumes[0], None)
    snapshots = [unmade(recent, volume) for volume in volumes]
    driver.create_group_snapshot(None, consistent_alone, snapshots)
    for attached in snapshots:
        driver.create_export_snapshot(None, attached, HOST)
        driver.initialize_connection_snapshot(attached, HOST)
        driver.terminate_connection_snapshot(attached, HOST)
        driver.remove_export_snapshot(None, attached)
    assert len(recent.lock_files() - before) == len(volumes) + len(snapshots)
    driver.delete_group_snapshot(None, consistent_alone, snapshots)
    assert len(recent.lock_files() - before) == len(volumes)
    driver.delete_group(None, consistent_alone, volumes)
    assert recent.lock_files() == before
