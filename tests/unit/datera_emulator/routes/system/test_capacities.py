# SPDX-License-Identifier: Apache-2.0
"""What ``/system`` says of space: bytes before replication, all in one unit."""

from __future__ import annotations

from typing import Any

import pytest

from datera_emulator.switches import Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

GIB = 1 << 30


def volume_of(api: Api, *, size: int, replicas: int) -> Any:
    volume = {"name": "volume-1", "size": size, "replica_count": replicas}
    storage = {"name": "storage-1", "volumes": [volume]}
    made = api.good("POST", "/app_instances", {"name": "one", "storage_instances": [storage]})
    return made["storage_instances"][0]["volumes"][0]


def test_capacities_count_a_volume_once_for_each_replica(api: Api) -> None:
    before = api.good("GET", "/system")
    shown = volume_of(api, size=10, replicas=2)
    (volume,) = api.cluster.volumes()
    api.cluster.files.path(volume.file).write_bytes(b"x" * (1 << 20))
    used = api.cluster.files.used(volume.file)
    assert used
    after = api.good("GET", "/system")
    assert before["total_provisioned_capacity"] == 0
    assert before["available_capacity"] == before["total_capacity"] == 100 << 40
    assert after["total_provisioned_capacity"] == 20 * GIB
    assert after["available_capacity"] == after["total_capacity"] - 2 * used
    for kind in ("total", "available", "provisioned"):
        whole = {"provisioned": "total_provisioned"}.get(kind, kind)
        assert after[f"hybrid_{kind}_capacity"] == after[f"{whole}_capacity"]
        assert after[f"all_flash_{kind}_capacity"] == 0
    # What a volume says of itself is data: replicas do not count in it.
    assert shown["size"] == 10
    assert api.good("GET", shown["path"])["capacity_in_use"] == pytest.approx(used / GIB, abs=0.001)


def test_provisioned_capacities_may_be_sizes_as_they_were_asked_for(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(provisioned_counts_replicas=False))
    volume_of(api, size=10, replicas=3)
    system = api.good("GET", "/system")
    assert system["total_provisioned_capacity"] == 10 * GIB
    assert system["hybrid_provisioned_capacity"] == 10 * GIB
