# SPDX-License-Identifier: Apache-2.0
"""Changes whose answer leaves doubt: they are told as what the cluster shows that they are."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from datera_emulator import Emulator
from datera_volume import connection
from datera_volume.connection import AppInstance, Cluster, NewAppInstance, Tenant

pytestmark = pytest.mark.long

ONE = "/app_instances/[^/]+"
STORAGE = f"{ONE}/storage_instances/storage-1"
VOLUME = f"{STORAGE}/volumes/volume-1"
POLICY = f"{VOLUME}/performance_policy"
INITIATORS = f"{STORAGE}/acl_policy/initiators"
AUTH = f"{STORAGE}/auth"
SNAPSHOT = f"{VOLUME}/snapshots/[^/]+"
IQN = "iqn.1994-05.com.redhat:one"
MARK = str(uuid.UUID(int=7))

Change = Callable[[Tenant, AppInstance], Any]


def limits(ai: AppInstance) -> dict[str, int]:
    return dict(ai.volume.limits)


# By name: the request that makes it, the change, and what then stands there.
CHANGES: dict[str, tuple[str, str, Change, Callable[[AppInstance], Any], Any]] = {
    "size": (
        "PUT",
        VOLUME,
        lambda tenant, ai: tenant.resize_volume(ai.volume, 3),
        lambda ai: ai.volume.size_gib,
        3,
    ),
    "replicas": (
        "PUT",
        VOLUME,
        lambda tenant, ai: tenant.set_replica_count(ai.volume, 4),
        lambda ai: ai.volume.replica_count,
        4,
    ),
    "placement mode": (
        "PUT",
        VOLUME,
        lambda tenant, ai: tenant.set_placement(ai.volume, "all_flash", None),
        lambda ai: ai.volume.placement_mode,
        "all_flash",
    ),
    "placement policy": (
        "PUT",
        VOLUME,
        lambda tenant, ai: tenant.set_placement(ai.volume, None, "dense"),
        lambda ai: ai.volume.placement_policy,
        "/placement_policies/dense",
    ),
    "first limits": (
        "POST",
        POLICY,
        lambda tenant, ai: tenant.set_limits(ai.volume, {"read_iops_max": 5}),
        limits,
        {"read_iops_max": 5},
    ),
    "other limits": (
        "PUT",
        POLICY,
        lambda tenant, ai: tenant.set_limits(ai.volume, {"total_iops_max": 5}),
        limits,
        {"total_iops_max": 5},
    ),
    "no limits": (
        "DELETE",
        POLICY,
        lambda tenant, ai: tenant.set_limits(ai.volume, {}),
        limits,
        {},
    ),
    "name": (
        "PUT",
        ONE,
        lambda tenant, ai: tenant.rename(ai, "other"),
        lambda ai: ai.name,
        "other",
    ),
    "description": (
        "PUT",
        ONE,
        lambda tenant, ai: tenant.describe(ai, "Another one"),
        lambda ai: ai.descr,
        "Another one",
    ),
    "off": ("PUT", ONE, lambda tenant, ai: tenant.set_offline(ai), lambda ai: ai.online, False),
    "on": ("PUT", ONE, lambda tenant, ai: tenant.set_online(ai), lambda ai: ai.available, True),
    "closed": (
        "PUT",
        STORAGE,
        lambda tenant, ai: tenant.close_to_all(ai.storage_instance),
        lambda ai: ai.storage_instance.open_to_all,
        False,
    ),
    "pool": (
        "PUT",
        STORAGE,
        lambda tenant, ai: tenant.set_ip_pool(ai.storage_instance, "fast"),
        lambda ai: ai.storage_instance.ip_pool,
        "/access_network_ip_pools/fast",
    ),
    "let in": (
        "PUT",
        INITIATORS,
        lambda tenant, ai: tenant.allow_initiator(ai.storage_instance, IQN, "host"),
        lambda ai: ai.storage_instance.initiators,
        (IQN,),
    ),
    "let out": (
        "PUT",
        INITIATORS,
        lambda tenant, ai: tenant.deny_initiator(ai.storage_instance, IQN),
        lambda ai: ai.storage_instance.initiators,
        (),
    ),
    "snapshot": (
        "POST",
        f"{VOLUME}/snapshots",
        lambda tenant, ai: tenant.snapshot(ai.volume, MARK),
        lambda ai: [one.uuid for one in ai.volume.snapshots],
        [MARK],
    ),
    "no snapshot": (
        "DELETE",
        SNAPSHOT,
        lambda tenant, ai: tenant.delete_snapshot(ai.volume, MARK),
        lambda ai: len(ai.volume.snapshots),
        0,
    ),
}
OFFLINE = {"replicas", "pool", "on"}
TROUBLES: dict[str, dict[str, Any]] = {
    "no answer": {"kind": "drop"},
    "a fault": {"kind": "answer", "status": 500},
    "a page": {"kind": "html", "status": 502},
    "something else": {"kind": "wrong_body"},
}


@pytest.fixture
def tenant(emulator: Emulator, connect: Callable[..., Cluster]) -> Tenant:
    """A tenant of a cluster that is asked once."""
    tenant = connect(emulator, busy_timeout=0.0).tenant()
    for path, name in (("/placement_policies", "dense"), ("/access_network_ip_pools", "fast")):
        tenant._adapter.session.request("POST", path, body={"name": name})
    return tenant


def made(tenant: Tenant, change: str) -> AppInstance:
    """An app instance that the change can be made to."""
    standing = {"total_iops_max": 9} if change in {"other limits", "no limits"} else {}
    new = NewAppInstance("one", 1, replica_count=2, limits=standing, uuid=str(uuid.uuid4()))
    ai = tenant.create_app_instance(
        NewAppInstance(**{**vars(new), "open_to_all": change == "closed"})
    )
    if change == "let out":
        tenant.allow_initiator(ai.storage_instance, IQN, "host")
    if change == "no snapshot":
        tenant.snapshot(ai.volume, MARK)
    return tenant.set_offline(ai) if change in OFFLINE else tenant.set_online(ai)


def trouble(emulator: Emulator, name: str, method: str, path: str, **when: Any) -> Any:
    """Let the cluster answer so."""
    from datera_emulator.faults.outcomes import Wish

    how = dict(TROUBLES[name])
    kind = how.pop("kind")
    return emulator.faults.kind(kind, Wish(**how), method=method, path=path, **when)


def not_found_is_for_the_caller_to_prove(change: str) -> AbstractContextManager[object]:
    """What is deleted in doubt is told as not found: one look does not prove that it is gone."""
    return pytest.raises(connection.NotOnCluster) if change == "no snapshot" else nullcontext()


@pytest.mark.parametrize("name", TROUBLES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_effect_is_reported_as_done(
    emulator: Emulator, tenant: Tenant, change: str, name: str
) -> None:
    method, path, make, shown, wanted = CHANGES[change]
    ai = made(tenant, change)
    fault = trouble(emulator, name, method, path, applied=True)
    with not_found_is_for_the_caller_to_prove(change):
        make(tenant, ai)
    assert fault.hits == 1
    assert shown(tenant.app_instance(ai.id)) == wanted


@pytest.mark.parametrize("change", sorted(CHANGES.keys() - {"snapshot"}))
def test_a_change_not_in_effect_raises_the_clusters_error(
    emulator: Emulator, tenant: Tenant, change: str
) -> None:
    method, path, make, shown, wanted = CHANGES[change]
    ai = made(tenant, change)
    fault = emulator.faults.answer(500, {"message": "broken"}, method=method, path=path)
    with pytest.raises(connection.ClusterFault, match="broken"):
        make(tenant, ai)
    assert fault.hits == 1
    assert shown(tenant.app_instance(ai.id)) != wanted


@pytest.mark.parametrize("change", sorted(CHANGES.keys() - {"snapshot", "first limits"}))
def test_change_that_is_refused_the_second_time_was_made_the_first_time(
    emulator: Emulator, connect: Callable[..., Cluster], tenant: Tenant, change: str
) -> None:
    method, path, make, shown, wanted = CHANGES[change]
    ai = made(tenant, change)
    patient = connect(emulator).tenant()
    emulator.faults.drop(method=method, path=path, applied=True)
    refused = {"name": "InvalidRequestError", "message": "not again"}
    again = emulator.faults.answer(400, refused, method=method, path=path)
    with not_found_is_for_the_caller_to_prove(change):
        make(patient, ai)
    assert again.hits == 1
    assert shown(tenant.app_instance(ai.id)) == wanted


# Of limits and initiators, it is they themselves that may be missing.
PARTS = {"first limits", "other limits", "no limits", "let in", "let out", "snapshot"}


@pytest.mark.parametrize("change", sorted(CHANGES.keys() - PARTS))
def test_an_existing_object_is_not_reported_missing(
    emulator: Emulator, tenant: Tenant, change: str
) -> None:
    method, path, make, _shown, _wanted = CHANGES[change]
    ai = made(tenant, change)
    emulator.faults.answer(404, {"message": "none"}, method=method, path=path)
    with pytest.raises(connection.RequestRefused, match="although it exists"):
        make(tenant, ai)


def test_app_instance_that_is_there_is_not_told_as_deleted(
    emulator: Emulator, tenant: Tenant
) -> None:
    ai = made(tenant, "name")
    for method in ("PUT", "DELETE"):
        emulator.faults.answer(404, {"message": "none"}, method=method, path=ONE)
        with pytest.raises(connection.RequestRefused, match="although it exists"):
            tenant.delete_app_instance(ai)
        assert tenant.app_instance(ai.id).online


def test_the_outcome_is_unknown_if_checking_fails_too(emulator: Emulator, tenant: Tenant) -> None:
    ai = made(tenant, "size")
    emulator.faults.answer(500, {"message": "broken"}, method="PUT", path=VOLUME, applied=True)
    emulator.faults.answer(500, {"message": "blind"}, method="GET", path=VOLUME)
    with pytest.raises(connection.OutcomeUnknown, match=r"extending .*broken.*blind"):
        tenant.resize_volume(ai.volume, 3)


@pytest.mark.parametrize("name", TROUBLES)
def test_app_instance_that_is_gone_is_told_as_not_found(
    emulator: Emulator, tenant: Tenant, name: str
) -> None:
    ai = made(tenant, "name")
    fault = trouble(emulator, name, "DELETE", ONE, applied=True)
    with pytest.raises(connection.NotOnCluster):
        tenant.delete_app_instance(ai)
    assert fault.hits == 1
    assert emulator.cluster.app_instances == {}


@pytest.mark.parametrize("name", ["a fault", "something else"])
def test_volume_is_restored_once_more_where_that_may_have_failed(
    emulator: Emulator, tenant: Tenant, name: str
) -> None:
    ai = tenant.set_offline(made(tenant, "name"))
    snapshot = tenant.snapshot(ai.volume, MARK)
    fault = trouble(emulator, name, "PUT", VOLUME, applied=False)
    tenant.restore(ai.volume, snapshot)
    assert fault.hits == 1
    puts = "/app_instances/:id/storage_instances/:storage_instance_name/volumes/:volume_name"
    assert emulator.cluster.counters.of("PUT", puts) == 1


@pytest.mark.parametrize("name", ["a fault", "something else"])
@pytest.mark.parametrize("applied", [True, False])
def test_secret_is_set_once_more_where_that_may_have_failed(
    emulator: Emulator, tenant: Tenant, name: str, *, applied: bool
) -> None:
    ai = made(tenant, "name")
    fault = trouble(emulator, name, "PUT", AUTH, applied=applied)
    tenant.set_chap(ai.storage_instance, "user", "secret-of-15-ch")
    assert fault.hits == 1
    ((storage, _volume),) = next(iter(emulator.cluster.app_instances.values())).volumes()
    assert storage.auth.target_pswd == "secret-of-15-ch"
