# SPDX-License-Identifier: Apache-2.0
"""A volume or a snapshot is deleted where it is, or proven to be gone; else that fails."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cinder import exception

NOT_FOUND = {"name": "NotFoundError", "message": "not found", "http": 404}
FORBIDDEN = {"name": "PermissionDeniedError", "message": "not for you", "http": 403}
REFUSED = exception.VolumeBackendAPIException


@pytest.fixture
def configured(recent: Any) -> Iterator[Any]:
    usual = recent.driver.settings
    yield recent
    recent.driver._settings = usual


def configure(array: Any, setting: str | None) -> None:
    """What an operator does to ``datera_tenant_id``, and a restart."""
    array.driver._settings = dataclasses.replace(array.driver.settings, tenant=setting)


def names(array: Any) -> set[str]:
    return {ai.name for ai in array.emulator.cluster.app_instances.values()}


def keep(provider_id: str | None, volume: Any, snapshot: Any = None) -> None:
    """Let Cinder keep this of where a volume is; None of the in-tree driver's, say."""
    for record in (volume, *([] if snapshot is None else [snapshot.volume])):
        record.update({"provider_id": provider_id})
        record.save()


@pytest.mark.parametrize(("before", "after"), [(None, "lab"), ("lab", None), ("Map", "lab")])
def test_what_was_made_before_the_option_changed_is_deleted_where_it_is(
    configured: Any, before: str | None, after: str | None
) -> None:
    array, driver = configured, configured.driver
    configure(array, before)
    volume = array.volume()
    snapshot = array.snapshot(volume)
    keep(None, volume, snapshot)
    configure(array, after)
    driver.delete_snapshot(snapshot)
    assert list(array.stored(volume)[2].snapshots) == []
    driver.delete_volume(volume)
    assert names(array) == set()


@pytest.mark.parametrize("made_where_it_was_kept", [True, False])
def test_what_is_gone_is_deleted(array: Any, made_where_it_was_kept: bool) -> None:
    volume = array.volume()
    snapshot = array.snapshot(volume)
    if not made_where_it_was_kept:
        keep(None, volume, snapshot)
    array.driver.delete_volume(volume)
    array.requests()
    array.driver.delete_volume(volume)
    # Two looks by its name, two lists, and before each whether there is the tenant.
    assert array.requests() <= 6 + (0 if made_where_it_was_kept else 64)
    array.driver.delete_snapshot(snapshot)


def test_a_snapshot_that_is_gone_is_deleted(array: Any) -> None:
    snapshot = array.snapshot(array.volume())
    array.driver.delete_snapshot(snapshot)
    array.requests()
    array.driver.delete_snapshot(snapshot)
    assert array.requests() <= 4


def test_a_volume_is_not_gone_with_the_tenant_that_is_not_there(configured: Any) -> None:
    volume = configured.volume()
    snapshot = configured.snapshot(volume)
    keep("/root/renamed", volume, snapshot)
    for delete, one in (
        (configured.driver.delete_snapshot, snapshot),
        (configured.driver.delete_volume, volume),
    ):
        with pytest.raises(REFUSED, match="has no tenant /root/renamed, where it was created"):
            delete(one)
    assert names(configured) == {f"OS-{volume.id}"}


def test_a_volume_whose_tenant_was_never_made_is_deleted(configured: Any) -> None:
    configure(configured, "Map")
    volume = configured.record(project_id=uuid.uuid4().hex)
    configured.driver.delete_volume(volume)


def test_a_user_who_may_not_look_at_tenants_deletes_what_is_gone(configured: Any) -> None:
    volume = configured.volume()
    keep(None, volume)
    configured.emulator.faults.answer(403, FORBIDDEN, path="/tenants.*", times=None)
    for _twice in range(2):
        configured.driver.delete_volume(volume)
    assert names(configured) == set()


def test_what_a_migration_left_never_deletes_the_volume_that_moved(configured: Any) -> None:
    moved = configured.volume()
    configure(configured, "lab")
    left = configured.record(_name_id=moved.id)
    configured.driver.cluster.tenant("lab").ensure()
    configured.driver.delete_volume(left)
    assert names(configured) == {f"OS-{moved.id}"}


def test_an_open_volume_whose_deletion_found_nothing_is_on_again(recent: Any) -> None:
    volume = recent.volume(volume_type=recent.volume_type(acl_allow_all="True"))
    one = "/app_instances/[^/]+"
    recent.emulator.faults.answer(404, NOT_FOUND, method="DELETE", path=one)
    # It is found by its name, and then not when it is looked whether it was deleted.
    recent.emulator.faults.answer(404, NOT_FOUND, method="GET", path=one, nth=2)
    with pytest.raises(REFUSED, match=f"OS-{volume.id} is listed in /root"):
        recent.driver.delete_volume(volume)
    assert recent.stored(volume)[0].admin_state == "online"


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("times", [1, 2, None])
@pytest.mark.parametrize("what", ["volume", "snapshot"])
def test_not_found_from_any_request_on_is_no_success_without_effect(
    recent: Any, what: str, times: int | None, *, kept: bool
) -> None:
    driver = recent.driver
    for number in range(1, 40):
        volume = recent.volume()
        snapshot = recent.snapshot(volume)
        if not kept:
            keep(None, volume, snapshot)
        delete = {"volume": driver.delete_volume, "snapshot": driver.delete_snapshot}[what]
        one = {"volume": volume, "snapshot": snapshot}[what]
        fault = recent.emulator.faults.answer(404, NOT_FOUND, nth=number, times=times)
        try:
            delete(one)
            told = True
        except exception.CinderException:
            told = False
        recent.emulator.faults.clear()
        there = f"OS-{volume.id}" in names(recent) and (
            what == "volume" or list(recent.stored(volume)[2].snapshots) != []
        )
        assert not (told and there), f"told as deleted after a 404 from request {number} on"
        delete(one)
        driver.delete_volume(volume)
        assert names(recent) == set()
        if not fault.hits:
            return
    raise AssertionError("it never ends")


APP_INSTANCE = r"/app_instances/[^/]+"


@pytest.mark.parametrize("first", ["a lost answer", "a fault"])
def test_a_deletion_in_doubt_and_one_not_found_prove_nothing(array: Any, first: str) -> None:
    """A node dies over the deletion; the next one does not find the volume while it starts."""
    volume = array.volume()
    before = array.stored(volume)[0].admin_state
    faults = array.emulator.faults
    if first == "a lost answer":
        faults.drop(method="DELETE", path=APP_INSTANCE)
        faults.answer(404, NOT_FOUND, method="DELETE", path=APP_INSTANCE)
    else:
        faults.answer(500, {"message": "broken"}, method="DELETE", path=APP_INSTANCE)
    # The first finds the volume, the second is the look after the deletion.
    faults.answer(404, NOT_FOUND, method="GET", path=APP_INSTANCE, nth=2)
    with pytest.raises(REFUSED, match="is listed"):
        array.driver.delete_volume(volume)
    assert array.stored(volume)[0].admin_state == before
    array.driver.delete_volume(volume)
    assert names(array) == set()


def test_a_volume_in_another_tenant_is_not_gone_by_one_look(configured: Any) -> None:
    array, driver = configured, configured.driver
    configure(array, "lab")
    volume = array.volume()
    keep(None, volume)
    configure(array, "other")
    driver.cluster.tenant("/root/other").ensure()
    # By its name it is not found anywhere, and the filtered list of each tenant is empty.
    array.emulator.faults.answer(404, NOT_FOUND, method="GET", path=APP_INSTANCE, times=None)
    empty = {"data": [], "metadata": {"total_count": 0, "limit": 100, "offset": 0}}
    array.emulator.faults.answer(200, empty, method="GET", path="/app_instances", times=3)
    driver.delete_volume(volume)
    array.emulator.faults.clear()
    assert names(array) == set()


def test_a_tenant_without_a_path_hides_no_volume(configured: Any) -> None:
    array, driver = configured, configured.driver
    configure(array, "lab")
    volume = array.volume()
    keep(None, volume)
    configure(array, None)
    pathless = {"data": [{"name": "lab"}], "metadata": {"total_count": 1, "total": 1}}
    array.emulator.faults.answer(200, pathless, method="GET", path="/tenants", times=1)
    with pytest.raises(REFUSED, match="path"):
        driver.delete_volume(volume)
    assert len(names(array)) == 1


@pytest.mark.parametrize("act", ["forced detach", "unmanage"])
def test_a_list_that_is_not_found_ends_no_attachment_and_gives_nothing_up(
    array: Any, act: str
) -> None:
    volume, driver = array.volume(), array.driver
    acts: dict[str, Callable[[], Any]] = {
        "unmanage": lambda: driver.unmanage(volume),
        "forced detach": lambda: driver.terminate_connection(volume, None, force=True),
    }
    array.emulator.faults.answer(404, NOT_FOUND, method="GET", path=".*app_instances.*", times=None)
    with pytest.raises(exception.CinderException):
        acts[act]()
    array.emulator.faults.clear()
    assert names(array) == {f"OS-{volume.id}"}
