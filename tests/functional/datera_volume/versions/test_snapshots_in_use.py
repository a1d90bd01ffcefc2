# SPDX-License-Identifier: Apache-2.0
"""Volumes put back to their snapshots, and snapshots attached for backups."""

from __future__ import annotations

from typing import Any

import pytest
from cinder import exception

HOST = {"initiator": "iqn.1994-05.com.redhat:one", "host": "one", "multipath": True}


def contents(array: Any, volume: Any) -> bytes:
    inside = array.stored(volume)[2]
    with open(array.emulator.cluster.files.path(inside.file), "rb") as file:
        return file.read(4)


def write(array: Any, volume: Any, data: bytes) -> None:
    inside = array.stored(volume)[2]
    with open(array.emulator.cluster.files.path(inside.file), "r+b") as file:
        file.write(data)


def test_a_volume_is_reverted_offline_and_stays_so(array: Any) -> None:
    volume = array.volume()
    array.driver.initialize_connection(volume, HOST)
    write(array, volume, b"then")
    snapshot = array.snapshot(volume)
    write(array, volume, b"now!")
    array.driver.terminate_connection(volume, None)
    # Cinder's in-tree driver left volumes online, and hosts in their lists.
    array.driver.cluster.tenant().set_online(
        array.driver.cluster.tenant().app_instance(f"OS-{volume.id}")
    )
    array.requests()
    array.driver.revert_to_snapshot(None, volume, snapshot)
    # The volume is looked at until it is restored, which the cluster takes so many looks for.
    looks = array.emulator.cluster.switches.restore_reads + 1
    assert looks < array.requests() <= 4 + looks
    assert contents(array, volume) == b"then"
    assert array.stored(volume)[0].admin_state == "offline"
    array.driver.revert_to_snapshot(None, volume, snapshot)
    array.driver.initialize_connection(volume, HOST)


def test_a_volume_whose_snapshot_is_gone_is_left_as_it_was(recent: Any) -> None:
    volume = recent.volume()
    snapshot = recent.snapshot(volume)
    recent.driver.delete_snapshot(snapshot)
    with pytest.raises(exception.SnapshotNotFound):
        recent.driver.revert_to_snapshot(None, volume, snapshot)
    assert recent.stored(volume)[0].admin_state == "online"


def test_a_snapshot_is_attached_as_a_copy_and_leaves_nothing(array: Any) -> None:
    volume = array.volume()
    write(array, volume, b"then")
    snapshot = array.snapshot(volume)
    write(array, volume, b"now!")
    driver = array.driver
    for _attempt in range(2):
        assert driver.create_export_snapshot(None, snapshot, HOST) is None
    data = driver.initialize_connection_snapshot(snapshot, HOST)["data"]
    found, storage, _inside = array.stored(snapshot)
    assert (storage.iqn, storage.initiators) == (data["target_iqn"], [HOST["initiator"]])
    assert contents(array, snapshot) == b"then"
    assert array.stored(volume)[1].initiators == []
    driver.terminate_connection_snapshot(snapshot, HOST)
    assert (storage.initiators, found.admin_state) == ([], "offline")
    for _attempt in range(2):
        driver.remove_export_snapshot(None, snapshot)
        driver.terminate_connection_snapshot(snapshot, HOST)
    assert len(array.emulator.cluster.app_instances) == 1


def test_a_copy_that_a_dead_backup_left_goes_with_its_temporary_snapshot(recent: Any) -> None:
    volume = recent.volume()
    snapshot = recent.snapshot(volume)
    recent.driver.create_export_snapshot(None, snapshot, HOST)
    snapshot.use_quota = False
    recent.driver.delete_snapshot(snapshot)
    assert len(recent.emulator.cluster.app_instances) == 1


def test_the_lock_of_an_attached_snapshot_goes_with_the_snapshot(recent: Any) -> None:
    from cinder import utils

    snapshot = recent.snapshot(recent.volume())
    before = recent.lock_files()
    recent.driver.create_export_snapshot(None, snapshot, HOST)
    recent.driver.initialize_connection_snapshot(snapshot, HOST)
    recent.driver.terminate_connection_snapshot(snapshot, HOST)
    recent.driver.remove_export_snapshot(None, snapshot)
    assert any(snapshot.id in name for name in recent.lock_files())
    recent.driver.delete_snapshot(snapshot)
    # What Cinder's manager calls next.
    utils.clean_snapshot_file_locks(snapshot.id, recent.driver)
    assert recent.lock_files() == before
