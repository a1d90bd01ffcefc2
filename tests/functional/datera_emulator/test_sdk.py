# SPDX-License-Identifier: Apache-2.0
"""The published SDK, in its strict mode, works against the emulator."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.datera.published_sdk import OpenSdk

# What products speak the versions of the API: clients' choices depend on both.
PRODUCTS = {"2.1": "2.2.7.1", "2.2": "3.2.1.0", "2.3": "3.3.0.0"}


@pytest.fixture(params=list(PRODUCTS))
def version(request: pytest.FixtureRequest) -> str:
    """The API's version that the test speaks."""
    return str(request.param)


@pytest.fixture
def emulator(version: str, tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(tmp_path / "emulator", sw_version=PRODUCTS[version]) as running:
        yield running


@pytest.fixture
def sdk(version: str, emulator: Emulator, open_sdk: OpenSdk) -> Any:
    return open_sdk(emulator, version)


def make(sdk: Any, name: str, **more: Any) -> Any:
    storage = {"name": "storage-1", "volumes": [{"name": "volume-1", "size": 1}]}
    return sdk.app_instances.create(
        name=name, create_mode="openstack", storage_instances=[storage], **more
    )


def test_sdk_creates_reads_updates_and_deletes(sdk: Any) -> None:
    instance = make(sdk, "one")
    assert sdk.system.get()["sw_version"] in PRODUCTS.values()
    assert sdk.app_instances.get("one")["id"] == instance["id"]
    assert [one["name"] for one in sdk.app_instances.list(filter="match(name,^one$)")] == ["one"]
    (storage,) = instance.storage_instances.list()
    (volume,) = storage.volumes.list()
    instance.set(admin_state="offline")
    assert volume.set(size=2)["size"] == 2
    instance.set(admin_state="online")

    initiator = sdk.initiators.create(id="iqn.1993-08.org.debian:01:abcdef", name="a host")
    storage.acl_policy.initiators.add(initiator)
    assert [one["path"] for one in storage.acl_policy.initiators.list()] == [initiator["path"]]
    storage.acl_policy.initiators.remove(initiator)
    assert storage.acl_policy.initiators.list() == []

    snapshot = volume.snapshots.create()
    while snapshot["op_state"] != "available":
        snapshot = volume.snapshots.get(snapshot["utc_ts"])
    clone = sdk.app_instances.create(name="two", clone_snapshot_src={"path": snapshot["path"]})
    assert clone.reload()["op_state"] == "cloning"
    instance.metadata.set(key="value")
    assert instance.metadata.get()["key"] == "value"
    volume.performance_policy.create(total_iops_max=5)
    snapshot.delete()
    for one in (instance, clone):
        one.set(admin_state="offline", force=True)
        one.delete(force=True)
    assert sdk.app_instances.list() == []


def test_sdk_raises_the_error_that_fits(sdk: Any, emulator: Emulator) -> None:
    errors = importlib.import_module("dfs_sdk.exceptions")
    make(sdk, "one")
    with pytest.raises(errors.ApiConflictError):
        make(sdk, "one")
    with pytest.raises(errors.ApiNotFoundError):
        sdk.app_instances.get("two")
    with pytest.raises(errors.ApiValidationFailedError):
        sdk.tenants.create(name="bad name")
    with pytest.raises(errors.ApiInvalidRequestError):
        sdk.app_instances.get("one").delete()
    with pytest.raises(errors.SdkEndpointNotFound):
        _ = sdk.no_such_thing
    # The SDK knows what /api lists, and no more: this came with product 3.3.
    if emulator.cluster.sw_version < "3.3":
        with pytest.raises(errors.SdkEndpointNotFound):
            _ = sdk.placement_policies


def test_sdk_logs_in_again_when_its_key_expires(sdk: Any, emulator: Emulator) -> None:
    before = emulator.cluster.counters.of("PUT", "/login")
    emulator.cluster.tokens.revoke_all()
    assert sdk.system.get()["name"]
    assert emulator.cluster.counters.of("PUT", "/login") == before + 1


def test_sdk_sees_tenants_and_all_pages(sdk: Any, emulator: Emulator) -> None:
    tenant = sdk.tenants.create(name="acme")
    for number in range(103):
        sdk.app_instances.create(name=f"name-{number}", tenant=tenant["path"])
    assert len(sdk.app_instances.list(tenant=tenant["path"])) == 103
    assert sdk.app_instances.list() == []
    assert sdk.tenants.get("root/acme")["name"] == "acme"
