# SPDX-License-Identifier: Apache-2.0
"""A volume is given another type wholly, or stays as it was and Cinder is told that it did."""

from __future__ import annotations

from typing import Any

import pytest
from cinder import exception
from oslo_utils import uuidutils

HOST = {"initiator": "iqn.1994-05.com.redhat:one", "host": "one"}


def retype(array: Any, volume: Any, new_type: Any) -> bool:
    """Ask the driver as Cinder's manager does."""
    done = array.driver.retype(array.service.context, volume, new_type, {}, {"host": volume.host})
    assert isinstance(done, bool)
    return done


def pool(array: Any) -> str:
    """A new IP pool."""
    name = f"pool-{uuidutils.generate_uuid()}"
    array.ask("/access_network_ip_pools", name=name)
    return name


def state_of(array: Any, volume: Any) -> tuple[Any, ...]:
    """All that a type can say, as the cluster has it."""
    found, storage, inside = array.stored(volume)
    return (
        found.admin_state,
        storage.ip_pool,
        inside.replica_count,
        inside.placement_mode,
        inside.placement_policy,
        array.limits(volume),
    )


def test_limits_replicas_placement_and_pool_change_in_place(array: Any) -> None:
    silver = array.volume_type(replica_count="1", total_iops_max="70", read_iops_max="5")
    fast = pool(array)
    gold = array.volume_type(
        replica_count="3", placement_mode="all_flash", ip_pool=fast, iops_per_gb="10"
    )
    volume = array.volume(2, silver)
    assert retype(array, volume, gold) is True
    _state, got, replicas, mode, _policy, limits = state_of(array, volume)
    assert (got, replicas, mode, limits) == (fast, 3, "all_flash", {"total_iops_max": 20})
    # Again, as after a service that ended before Cinder's record was changed.
    assert retype(array, volume, gold) is True


def test_what_the_new_type_leaves_open_goes_back_to_the_defaults(array: Any) -> None:
    specs = {"placement_mode": "single_flash", "total_bandwidth_max": "9"}
    if array.recent:
        array.ask("/placement_policies", name=f"dense-{array.api}")
        specs["placement_policy"] = f"dense-{array.api}"
    volume = array.volume(1, array.volume_type(**specs))
    volume_of_no_such_type = array.volume()
    plain = array.volume_type()
    assert retype(array, volume, plain) is True
    _state, _pool, _replicas, mode, policy, limits = state_of(array, volume)
    assert policy == "default" if array.recent else mode == "hybrid"
    assert limits == {}
    before = state_of(array, volume_of_no_such_type)
    assert retype(array, volume_of_no_such_type, plain) is True
    assert state_of(array, volume_of_no_such_type) == before


def test_limits_of_an_attached_volume_change_without_a_break(recent: Any) -> None:
    volume = recent.volume()
    recent.driver.initialize_connection(volume, HOST)
    counters = recent.emulator.cluster.counters
    counters.reset()
    assert retype(recent, volume, recent.volume_type(write_iops_max="4")) is True
    assert recent.limits(volume) == {"write_iops_max": 4}
    assert counters.of("PUT", "/app_instances/:id") == 0


def test_one_of_several_pools_that_it_has_is_kept(recent: Any) -> None:
    pools = [pool(recent) for _ in range(3)]
    volume = recent.volume(1, recent.volume_type(ip_pool=",".join(pools)))
    mine = recent.stored(volume)[1].ip_pool
    assert retype(recent, volume, recent.volume_type(ip_pool=",".join([*pools, "default"])))
    assert recent.stored(volume)[1].ip_pool == mine


@pytest.mark.parametrize(
    ("old", "new", "attached"),
    [
        ({"replica_count": "3"}, {"replica_count": "2", "total_iops_max": "1"}, False),
        ({}, {"acl_allow_all": "True", "total_iops_max": "1"}, False),
        ({}, {"template": "gold", "total_iops_max": "1"}, False),
        ({"replica_count": "1"}, {"replica_count": "2", "placement_mode": "all_flash"}, True),
        ({}, {"ip_pool": "POOL", "total_iops_max": "1"}, True),
    ],
)
def test_what_cannot_be_done_in_place_is_handed_back_and_nothing_has_changed(
    recent: Any, old: dict[str, str], new: dict[str, str], attached: bool
) -> None:
    if "ip_pool" in new:
        new = {**new, "ip_pool": pool(recent)}
    volume = recent.volume(1, recent.volume_type(**{"read_iops_max": "6", **old}))
    if attached:
        recent.driver.initialize_connection(volume, HOST)
    before = state_of(recent, volume)
    assert retype(recent, volume, recent.volume_type(**new)) is False
    assert state_of(recent, volume) == before


@pytest.mark.parametrize("failing", ["/access_network_ip_pools/", "replica_count"])
def test_a_retype_that_fails_half_way_is_undone(recent: Any, failing: str) -> None:
    volume = recent.volume(1, recent.volume_type(replica_count="1", read_iops_max="6"))
    before = state_of(recent, volume)
    last = "volumes/volume-1" if failing == "replica_count" else "storage_instances/storage-1"
    new = {"placement_mode": "all_flash", "total_iops_max": "1"}
    new |= {"replica_count": "3"} if failing == "replica_count" else {"ip_pool": pool(recent)}
    nth = 2 if failing == "replica_count" else 1  # the placement comes first
    recent.emulator.faults.answer(
        500, {"message": "broken"}, method="PUT", path=f"/app_instances/.*/{last}", nth=nth
    )
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        retype(recent, volume, recent.volume_type(**new))
    assert state_of(recent, volume) == before


def test_a_type_that_cannot_be_read_is_named(recent: Any) -> None:
    with pytest.raises(exception.InvalidVolumeType, match="DF:replica_count is 'many'"):
        retype(recent, recent.volume(), recent.volume_type(replica_count="many"))
