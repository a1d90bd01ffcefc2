# SPDX-License-Identifier: Apache-2.0
"""Tenants that come and go beneath the driver."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from cinder import exception

HOST = {"initiator": "iqn.1994-05.com.redhat:one", "host": "one"}
SETTINGS = (None, "lab", "/root/lab/below", "Map")


def configure(array: Any, setting: str | None) -> None:
    """What an operator does to ``datera_tenant_id``, and a restart."""
    array.driver._settings = dataclasses.replace(array.driver.settings, tenant=setting)


@pytest.fixture
def configured(recent: Any) -> Iterator[Any]:
    usual = recent.driver.settings
    yield recent
    recent.driver._settings = usual


@pytest.mark.parametrize("after", SETTINGS)
@pytest.mark.parametrize("before", SETTINGS)
def test_a_volume_is_found_where_it_was_made_whatever_is_configured_later(
    configured: Any, before: str | None, after: str | None
) -> None:
    array, driver = configured, configured.driver
    configure(array, before)
    volume = array.volume()
    home = array.stored(volume)[0].tenant
    assert volume.provider_id == home
    snapshot = array.snapshot(volume)
    configure(array, after)
    clone, copy = array.record(), array.record()
    clone.update(driver.create_cloned_volume(clone, volume))
    copy.update(driver.create_volume_from_snapshot(copy, snapshot))
    driver.initialize_connection(volume, HOST)
    driver.terminate_connection(volume, HOST)
    driver.extend_volume(volume, 2)
    assert {ai.tenant for ai in array.emulator.cluster.app_instances.values()} == {home}
    driver.delete_snapshot(snapshot)
    assert list(array.stored(volume)[2].snapshots) == []
    for one in (volume, clone, copy):
        driver.delete_volume(one)
    assert array.emulator.cluster.app_instances == {}


def test_a_migration_to_another_tenant_leaves_both_records_true(
    configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    array, driver = configured, configured.driver
    configure(array, "lab")
    original = array.volume()
    configure(array, "other")
    copy = array.volume()
    # What Cinder's manager does at the end of a migration.
    manager = array.service.volume_manager
    monkeypatch.setattr(manager, "driver", driver)
    manager.update_migrated_volume(array.service.context, original, copy, "available")
    left = original.finish_volume_migration(copy)
    assert (original.provider_id, left.provider_id) == ("/root/other", "/root/lab")
    driver.delete_volume(left)
    driver.extend_volume(original, 2)
    (remaining,) = array.emulator.cluster.app_instances.values()
    assert remaining.tenant == "/root/other"
    driver.delete_volume(original)


def remove_tenant(array: Any, path: str) -> None:
    """What an operator of the cluster does by hand."""
    array.driver.cluster._session.request("DELETE", f"/tenants{path}")


def test_a_tenant_that_was_removed_is_made_anew_by_the_next_volume(each_mapped: Any) -> None:
    array, project = each_mapped, "5" * 32
    first = array.record(project_id=project)
    array.driver.create_volume(first)
    array.driver.delete_volume(first)
    remove_tenant(array, f"/root/OS-{project}")
    second = array.record(project_id=project)
    array.driver.create_volume(second)
    assert array.stored(second)[0].tenant == f"/root/OS-{project}"
    array.requests()
    third = array.record(project_id=project)
    array.driver.create_volume(third)
    assert array.requests() == 2, "the tenant is known again: a volume, and what is noted beside it"


def test_what_is_missing_in_a_tenant_that_is_there_makes_no_tenant(mapped: Any) -> None:
    driver = mapped.driver
    driver.create_volume(mapped.record(project_id="6" * 32))
    mapped.requests()
    with pytest.raises(exception.VolumeBackendAPIException, match="no-such-template"):
        driver.create_volume(
            mapped.record(
                project_id="6" * 32, volume_type=mapped.volume_type(template="no-such-template")
            )
        )
    assert mapped.emulator.cluster.counters.of("POST", "/tenants") == 0


@pytest.fixture
def below(recent: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The driver with a tenant of its own."""
    settings = dataclasses.replace(recent.driver.settings, tenant="cloud")
    monkeypatch.setattr(recent.driver, "_settings", settings)
    monkeypatch.setattr(recent.driver, "_ensured_tenants", set())
    return recent


def test_a_tenant_is_created_once_and_not_for_every_volume(below: Any) -> None:
    for _time in range(3):
        assert below.stored(below.volume())[0].tenant == "/root/cloud"
    assert below.emulator.cluster.counters.of("POST", "/tenants") <= 1


def test_a_tenant_without_read_permission_is_used_nevertheless(below: Any) -> None:
    below.volume()
    below.driver._ensured_tenants.clear()
    below.emulator.faults.answer(
        401, {"name": "PermissionDeniedError", "message": "No."}, method="GET", path="/tenants/.*"
    )
    below.volume()
    assert len(below.emulator.cluster.app_instances) == 2


@pytest.mark.parametrize("refusal", [401, 422])
def test_a_tenant_without_create_permission_is_named(below: Any, refusal: int) -> None:
    settings = dataclasses.replace(below.driver.settings, tenant="elsewhere")
    below.driver._settings = settings
    below.emulator.faults.answer(
        refusal,
        {"name": "PermissionDeniedError", "message": "No."},
        method="POST",
        path="/tenants",
    )
    with pytest.raises(exception.VolumeBackendAPIException, match="/root/elsewhere"):
        below.volume()
    assert below.emulator.cluster.app_instances == {}
