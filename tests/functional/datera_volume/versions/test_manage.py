# SPDX-License-Identifier: Apache-2.0
"""What stands on a cluster becomes Cinder's, and is given up again."""

from __future__ import annotations

from typing import Any

import pytest
from cinder import exception

SORTED = (["reference"], ["asc"])


def stranger(array: Any, name: str, *volumes: dict[str, Any], **fields: Any) -> None:
    """An app instance that somebody else made, with these volumes in one storage instance."""
    storage = {"name": "disks", "volumes": list(volumes)}
    array.ask("/app_instances", name=name, storage_instances=[storage], **fields)


def named(name: str) -> dict[str, str]:
    return {"source-name": name}


def test_a_volume_is_managed_used_and_unmanaged(array: Any) -> None:
    stranger(array, "vol", {"name": "data", "size": 2.5})
    stranger(array, "vol-2", {"name": "data", "size": 9})
    volume = array.record(3, array.volume_type(total_iops_max="50"))
    array.requests()
    reference = named("vol:disks:data")
    assert array.driver.manage_existing_get_size(volume, reference) == 3
    assert array.requests() <= 1
    assert array.driver.manage_existing(volume, reference) == {"provider_id": "/root"}
    # Two of them wait for the growth; where it is refused online, three more.
    assert array.requests() <= (8 if array.product >= (3,) else 11)
    _found, storage, inside = array.stored(volume)
    assert (storage.name, inside.size) == ("disks", 3), "Cinder counts whole GiB only"
    assert array.limits(volume) == {"total_iops_max": 50}

    snapshot = array.snapshot(volume)
    array.driver.delete_snapshot(snapshot)
    array.driver.extend_volume(volume, 4)
    array.driver.unmanage(volume)
    names = {ai.name for ai in array.emulator.cluster.app_instances.values()}
    assert names == {f"UNMANAGED-{volume.id}", "vol-2"}
    array.driver.unmanage(volume)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vo", "No app instance vo"),
        ("vol:disks:other", "has the volume disks:data, and no other"),
        ("vol:a:b:c:d", "of the form"),
        ("pair", "exactly one storage instance with one volume"),
        ("none", "exactly one storage instance with one volume"),
        ("used", "hosts in its ACL"),
        ("elsewhere:vol", "No tenant /root/elsewhere"),
        ("OS-image-11111111-2222-4333-8444-555555555555", "is a cached image"),
    ],
)
def test_what_cannot_be_a_volume_is_refused_by_name(recent: Any, name: str, reason: str) -> None:
    stranger(recent, "vol", {"name": "data", "size": 1})
    if name in {"pair", "none"}:
        count = {"pair": 2, "none": 0}[name]
        stranger(recent, name, *({"name": f"data-{n}", "size": 1} for n in range(count)))
    if name.startswith("OS-"):
        stranger(recent, name, {"name": "data", "size": 1}, descr="Image 1 of 20260101T000000")
    if name == "used":
        stranger(recent, name, {"name": "data", "size": 1})
        tenant = recent.driver.cluster.tenant()
        storage = tenant.app_instance(name).storage_instance
        tenant.allow_initiator(storage, "iqn.1994-05.com.redhat:somebody", "somebody")
    volume = recent.record()
    for call in (recent.driver.manage_existing_get_size, recent.driver.manage_existing):
        with pytest.raises(exception.ManageExistingInvalidReference, match=reason):
            call(volume, named(name))
    assert "vol" in {ai.name for ai in recent.emulator.cluster.app_instances.values()}


def test_a_volume_of_cinders_is_not_managed_again(recent: Any) -> None:
    volume, other = recent.volume(), recent.record()
    moved = recent.record(_name_id="11111111-2222-4333-8444-555555555555")
    stranger(recent, f"OS-{moved.name_id}", {"name": "data", "size": 1})
    for name in (f"OS-{volume.id}", f"OS-{moved.name_id}"):
        with pytest.raises(exception.ManageExistingAlreadyManaged):
            recent.driver.manage_existing(other, named(name))


def test_a_volume_in_another_tenant_is_managed_where_it_lies(recent: Any) -> None:
    tenant = recent.driver.cluster.tenant("lab")
    tenant.ensure()
    storage = {"name": "disks", "volumes": [{"name": "data", "size": 1}]}
    body = {"name": "vol", "storage_instances": [storage]}
    recent.driver.cluster._session.request("POST", "/app_instances", tenant="/root/lab", body=body)
    volume = recent.record()
    update = recent.driver.manage_existing(volume, named("lab:vol:disks:data"))
    assert update == {"provider_id": "/root/lab"}
    volume.update(update)
    recent.driver.extend_volume(volume, 2)
    assert recent.stored(volume)[2].size == 2
    recent.driver.delete_volume(volume)
    assert recent.emulator.cluster.app_instances == {}


def test_the_list_costs_one_request_a_page_of_the_clusters_whatever_is_in_it(array: Any) -> None:
    managed = array.volume()
    for number in range(3):
        stranger(array, f"vol-{number}", {"name": "data", "size": number + 1})
    stranger(array, "odd")
    array.requests()
    listed = array.driver.get_manageable_volumes([managed], None, 10, 0, *SORTED)
    assert array.requests() == 1
    by_name = {entry["reference"]["source-name"]: entry for entry in listed}
    own = by_name[f"OS-{managed.id}:storage-1:volume-1"]
    assert (own["safe_to_manage"], own["cinder_id"]) == (False, managed.id)
    assert by_name["vol-1:disks:data"]["safe_to_manage"]
    assert by_name["vol-1:disks:data"]["size"] == 2
    assert "exactly one" in by_name["odd"]["reason_not_safe"]
    page = array.driver.get_manageable_volumes([managed], named("odd"), 2, 1, *SORTED)
    assert [entry["reference"]["source-name"][:5] for entry in page] == ["vol-1", "vol-2"]


def test_another_backends_volume_is_listed_as_not_safe(recent: Any) -> None:
    recent.volume()
    (entry,) = recent.driver.get_manageable_volumes([], None, 10, 0, *SORTED)
    assert (entry["safe_to_manage"], entry["reason_not_safe"]) == (
        False,
        "another backend's volume",
    )


def test_a_snapshot_is_managed_used_and_deleted(array: Any) -> None:
    from cinder import objects

    volume = array.volume(2)
    volume.host = array.driver.host
    volume.save()
    path = array.driver.cluster.tenant().app_instance(f"OS-{volume.id}").volume.path
    array.ask(f"{path}/snapshots")
    known = array.snapshot(volume)
    array.requests()
    listed = array.driver.get_manageable_snapshots([known], None, 10, 0, *SORTED)
    assert array.requests() == 1
    # By references, which are the cluster's moments without leading zeros: no order in time.
    references = {entry["cinder_id"]: entry["reference"] for entry in listed}
    assert references.keys() == {None, known.id}
    reference = references[None]
    snapshot = objects.Snapshot(
        array.service.context,
        volume_id=volume.id,
        volume_size=2,
        project_id=volume.project_id,
        user_id=volume.user_id,
        status="available",
    )
    snapshot.create()
    assert array.driver.manage_existing_snapshot_get_size(snapshot, reference) == 2
    with pytest.raises(exception.ManageExistingInvalidReference, match="does not exist"):
        array.driver.manage_existing_snapshot(snapshot, named("1500000000.1"))
    with pytest.raises(exception.ManageExistingAlreadyManaged):
        array.driver.manage_existing_snapshot(snapshot, references[known.id])
    snapshot.update(array.driver.manage_existing_snapshot(snapshot, reference))
    snapshot.save()
    copy = array.record(2)
    array.driver.create_volume_from_snapshot(copy, snapshot)
    array.driver.unmanage_snapshot(snapshot)
    array.driver.delete_snapshot(snapshot)
    array.driver.delete_snapshot(snapshot)
    assert [one.uuid for one in array.stored(volume)[2].snapshots.values()] == [known.id]
    snapshot.destroy()
