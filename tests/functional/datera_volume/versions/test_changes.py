# SPDX-License-Identifier: Apache-2.0
"""Changes that fail, or that are made offline: a volume keeps its size, limits and state."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeout
from typing import Any

import pytest
from cinder import exception

from datera_volume.connection import Tenant

HOST = {"initiator": "iqn.1994-05.com.redhat:one", "host": "one"}
OTHER = {"initiator": "iqn.1994-05.com.redhat:two", "host": "two"}
VOLUME = "/app_instances/.*/volumes/volume-1"
LIMITS = (
    "/app_instances/:id/storage_instances/:storage_instance_name"
    "/volumes/:volume_name/performance_policy"
)
ACL = "/app_instances/:id/storage_instances/:storage_instance_name/acl_policy"


def test_a_failed_resize_leaves_size_and_admin_state(old: Any) -> None:
    volume = old.volume()
    # The first is refused because it is online; the second fails while it is switched off for it.
    old.emulator.faults.answer(500, {"message": "broken"}, method="PUT", path=VOLUME, nth=2)
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        old.driver.extend_volume(volume, 2)
    found, storage, inside = old.stored(volume)
    assert (found.admin_state, inside.size) == ("online", 1)
    assert storage.admin_state == "online"


def test_a_volume_set_offline_by_a_failed_request_is_set_online_again(old: Any) -> None:
    volume = old.volume()
    broken = {"message": "broken"}
    for method in ("PUT", "GET"):  # nor does the cluster show what became of it
        fault = old.emulator.faults.answer(
            500, broken, method=method, path="/app_instances/[0-9a-f-]{36}", applied=method == "PUT"
        )
    with pytest.raises(exception.VolumeBackendAPIException, match=r"outcome is unknown.*broken"):
        old.driver.extend_volume(volume, 2)
    assert fault.hits == 1
    found, _storage, inside = old.stored(volume)
    assert (found.admin_state, inside.size) == ("online", 1)


def test_an_open_volume_is_extended_even_if_it_stays_offline(
    old: Any, caplog: pytest.LogCaptureFixture
) -> None:
    volume = old.volume(1, old.volume_type(acl_allow_all="True", iops_per_gb="10"))
    refusal = {"name": "InvalidRequestError", "message": "Not on again."}
    one = "/app_instances/[0-9a-f-]{36}"
    old.emulator.faults.answer(400, refusal, method="PUT", path=one, nth=2, times=None)
    old.driver.extend_volume(volume, 2)
    found, _storage, inside = old.stored(volume)
    assert (inside.size, old.limits(volume)) == (2, {"total_iops_max": 20})
    assert f"App instance {found.name} stays offline" in caplog.text
    old.emulator.faults.clear()
    old.driver.initialize_connection(volume, HOST)
    assert found.admin_state == "online"


@pytest.mark.parametrize("change", ["extend", "retype"])
def test_attaching_waits_while_a_volume_is_changed_offline(
    old: Any, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    volume = old.volume()
    driver, gold = old.driver, old.volume_type(replica_count="4")
    changing, go_on = threading.Event(), threading.Event()
    set_offline = Tenant.set_offline

    def slowly(tenant: Tenant, ai: Any, **how: Any) -> Any:
        changing.set()
        go_on.wait(10)
        return set_offline(tenant, ai, **how)

    monkeypatch.setattr(Tenant, "set_offline", slowly)
    with ThreadPoolExecutor(2) as pool:
        if change == "extend":
            changed = pool.submit(driver.extend_volume, volume, 2)
        else:
            changed = pool.submit(driver.retype, None, volume, {"id": gold.id}, None, None)
        assert changing.wait(10)
        comer = pool.submit(driver.initialize_connection, volume, HOST)
        with pytest.raises(FuturesTimeout):
            comer.result(0.5)
        go_on.set()
        changed.result(10)
        comer.result(10)
    found, storage, inside = old.stored(volume)
    assert (found.admin_state, storage.initiators) == ("online", [HOST["initiator"]])
    assert (inside.size, inside.replica_count) in {(2, 3), (1, 4)}


@pytest.mark.parametrize("failing", [VOLUME, ".*/performance_policy"])
def test_a_volume_that_cannot_be_extended_keeps_the_limits_of_its_size(
    recent: Any, failing: str
) -> None:
    volume = recent.volume(1, recent.volume_type(iops_per_gb="10"))
    recent.emulator.faults.answer(500, {"message": "broken"}, method="PUT", path=failing)
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        recent.driver.extend_volume(volume, 2)
    assert recent.stored(volume)[2].size == 1
    assert recent.limits(volume) == {"total_iops_max": 10}


def test_limits_are_changed_without_being_removed_meanwhile(recent: Any) -> None:
    volume = recent.volume(1, recent.volume_type(iops_per_gb="10"))
    counters = recent.emulator.cluster.counters
    recent.driver.extend_volume(volume, 2)
    assert recent.limits(volume) == {"total_iops_max": 20}
    gold = recent.volume_type(total_iops_max="7")
    assert recent.driver.retype(recent.service.context, volume, gold, {}, {}) is True
    assert recent.limits(volume) == {"total_iops_max": 7}
    assert counters.of("DELETE", LIMITS) == 0


def test_limits_that_cannot_be_set_leave_the_previous_ones(recent: Any) -> None:
    volume = recent.volume(1, recent.volume_type(total_iops_max="5"))
    recent.emulator.faults.answer(
        500, {"message": "broken"}, method="PUT", path=".*/performance_policy"
    )
    gold = recent.volume_type(total_iops_max="7")
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        recent.driver.retype(recent.service.context, volume, gold, {}, {})
    assert recent.limits(volume) == {"total_iops_max": 5}
