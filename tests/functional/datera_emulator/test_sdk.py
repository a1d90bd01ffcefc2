# SPDX-License-Identifier: Apache-2.0
"""The published SDK, in its strict mode, works against the emulator."""

from __future__ import annotations

import collections
import collections.abc
import importlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator

# What the SDK needs to import on the Pythons of today.
collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined]


@pytest.fixture(params=["2.1", "2.2", "2.3"])
def sdk(
    request: pytest.FixtureRequest,
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    dfs_sdk = importlib.import_module("dfs_sdk")
    connection = importlib.import_module("dfs_sdk.connection")
    monkeypatch.setattr(connection, "REST_PORT_HTTPS", emulator.https_port)
    # The environment's own bundle would win over the one that is given.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    level = logging.root.level
    yield dfs_sdk.get_api(
        "127.0.0.1",
        "admin",
        "password",
        f"v{request.param}",
        disable_log=True,
        strict=True,
        secure=True,
        verify=emulator.ca_bundle,
        schema_loc=str(tmp_path / "schema"),
    )
    logging.root.setLevel(level)


def make(sdk: Any, name: str, **more: Any) -> Any:
    storage = {"name": "storage-1", "volumes": [{"name": "volume-1", "size": 1}]}
    return sdk.app_instances.create(
        name=name, create_mode="openstack", storage_instances=[storage], **more
    )


def test_the_basic_verbs(sdk: Any) -> None:
    instance = make(sdk, "one")
    assert sdk.system.get()["sw_version"] == "3.3.0.0"
    assert sdk.app_instances.get("one")["id"] == instance["id"]
    assert [one["name"] for one in sdk.app_instances.list(filter="match(name,^one$)")] == ["one"]
    (storage,) = instance.storage_instances.list()
    (volume,) = storage.volumes.list()
    assert volume.set(size=2)["size"] == 2

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


def test_its_errors_are_the_right_ones(sdk: Any) -> None:
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


def test_it_logs_in_again_when_its_key_expires(sdk: Any, emulator: Emulator) -> None:
    before = emulator.cluster.counters.of("PUT", "/login")
    emulator.cluster.tokens.revoke_all()
    assert sdk.system.get()["name"]
    assert emulator.cluster.counters.of("PUT", "/login") == before + 1


def test_tenants_and_pages(sdk: Any, emulator: Emulator) -> None:
    tenant = sdk.tenants.create(name="acme")
    for number in range(103):
        sdk.app_instances.create(name=f"name-{number}", tenant=tenant["path"])
    assert len(sdk.app_instances.list(tenant=tenant["path"])) == 103
    assert sdk.app_instances.list() == []
    assert sdk.tenants.get("root/acme")["name"] == "acme"
