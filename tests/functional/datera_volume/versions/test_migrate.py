# SPDX-License-Identifier: Apache-2.0
"""Volumes that move to another cluster, on the same one, and to another project."""

from __future__ import annotations

from typing import Any

import pytest
from cinder import exception


def names(array: Any) -> set[str]:
    return {ai.name for ai in array.emulator.cluster.app_instances.values()}


def test_a_volume_that_moved_to_this_cluster_takes_over_its_name(array: Any) -> None:
    original, copy = array.record(), array.volume()
    array.requests()
    update = array.driver.update_migrated_volume(None, original, copy, "available")
    assert update == {"_name_id": None, "provider_location": None}
    assert array.requests() <= 5
    assert names(array) == {f"OS-{original.id}"}
    array.driver.extend_volume(original, 2)


def test_a_migration_that_failed_after_the_renaming_can_be_completed(array: Any) -> None:
    original, copy = array.record(), array.volume()
    # The name is changed, and nothing tells so: neither its answer nor what is read afterwards.
    rename = array.emulator.faults.answer(
        500, {}, method="PUT", path="/app_instances/[^/]+", applied=True, times=None
    )
    array.emulator.faults.answer(
        500, {}, method="GET", path="/app_instances/[0-9a-f-]{36}", times=None
    )
    with pytest.raises(exception.VolumeBackendAPIException):
        array.driver.update_migrated_volume(None, original, copy, "available")
    assert rename.hits
    array.emulator.faults.clear()
    update = array.driver.update_migrated_volume(None, original, copy, "available")
    assert update == {"_name_id": None, "provider_location": None}
    assert names(array) == {f"OS-{original.id}"}


def test_another_volume_of_the_originals_name_is_not_its_copy(recent: Any) -> None:
    original, copy = recent.volume(), recent.record()
    with pytest.raises(exception.VolumeNotFound, match=copy.id):
        recent.driver.update_migrated_volume(None, original, copy, "available")
    assert names(recent) == {f"OS-{original.id}"}


@pytest.mark.parametrize("display_name", ["", "in-tree-"])
def test_on_the_same_cluster_neither_the_original_nor_the_copy_is_mistaken_for_the_other(
    array: Any, display_name: str
) -> None:
    original, copy = array.volume(1), array.volume(1)
    tenant = array.driver.cluster.tenant()
    tenant.rename(tenant.app_instance(f"OS-{original.id}"), f"OS-{display_name}{original.id}")
    update = array.driver.update_migrated_volume(None, original, copy, "available")
    assert update["_name_id"] == copy.id
    # What Cinder does with the two records, before it deletes the original by the second.
    original.update(update)
    copy.update({"_name_id": original.id})
    array.driver.delete_volume(copy)
    assert names(array) == {f"OS-{copy.id}"}
    array.driver.extend_volume(original, 3)
    ((_storage, inside),) = array.stored(copy)[0].volumes()
    assert inside.size == 3


def test_a_name_that_could_not_be_given_is_not_told_to_cinder(recent: Any) -> None:
    original, copy = recent.record(), recent.volume()
    taken = {"message": "The name is taken.", "http": 409}
    recent.emulator.faults.answer(409, taken, method="PUT", path="/app_instances/[^/]+")
    update = recent.driver.update_migrated_volume(None, original, copy, "available")
    assert update["_name_id"] == copy.id
    assert names(recent) == {f"OS-{copy.id}"}


def test_a_volume_given_to_another_project_is_found_where_it_lies(each_mapped: Any) -> None:
    mapped = each_mapped
    volume = mapped.volume(1)
    snapshot = mapped.snapshot(volume)
    home = mapped.stored(volume)[0].tenant
    assert home == f"/root/OS-{volume.project_id}"
    mapped.requests()
    update = mapped.driver.accept_transfer(None, volume, "user", "0" * 32)
    assert mapped.requests() == 0
    assert update == {"provider_id": home}
    for record in (volume, snapshot.volume):
        record.update({**update, "project_id": "0" * 32})
    mapped.driver.extend_volume(volume, 2)
    mapped.driver.initialize_connection(
        volume, {"initiator": "iqn.1994-05.com.redhat:one", "host": "one"}
    )
    mapped.driver.terminate_connection(volume, None)
    clone = mapped.record(2, project_id="0" * 32)
    update = mapped.driver.create_volume_from_snapshot(clone, snapshot)
    assert update == {"provider_id": home}, "the cluster copies within a tenant"
    clone.update(update)
    assert mapped.stored(clone)[0].tenant == home
    back = mapped.driver.accept_transfer(None, volume, "user", home.rpartition("-")[2])
    assert back == {"provider_id": home}
    mapped.driver.delete_snapshot(snapshot)
    for one in (volume, clone):
        mapped.driver.delete_volume(one)
    assert names(mapped) == set()


def test_with_a_tenant_for_each_project_all_of_them_are_listed(mapped: Any) -> None:
    volumes = [mapped.record(project_id=str(number) * 32) for number in range(2)]
    for volume in volumes:
        mapped.driver.create_volume(volume)
    mapped.requests()
    listed = mapped.driver.get_manageable_volumes(volumes, None, 10, 0, ["size"], ["asc"])
    assert {entry["cinder_id"] for entry in listed} == {volume.id for volume in volumes}
    tenants = len(mapped.driver.cluster.tenants())
    assert mapped.requests() == tenants + 2, "one list of tenants, then one of each"
    references = {entry["reference"]["source-name"] for entry in listed}
    assert f"OS-{'0' * 32}:OS-{volumes[0].id}:storage-1:volume-1" in references
