# SPDX-License-Identifier: Apache-2.0
"""Which portal a host begins with, however many a target has."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from datera_volume.connection import AppInstance, StorageInstance, Tenant
from datera_volume.operations import host_access

ID = "11111111-2222-4333-8444-555555555555"
IQN = "iqn.1994-05.com.redhat:one"


def attach(*ips: str, **how: Any) -> dict[str, Any]:
    """Attach a volume whose target has these portals, and which lets the host in already."""
    storage = StorageInstance(
        name="storage-1",
        path="/s",
        op_state="available",
        ips=ips,
        iqn="iqn.2013-05.com.daterainc:tc:01:sn:1",
        initiators=(IQN,),
    )
    ai = AppInstance(
        id="1",
        name=f"OS-{ID}",
        path="/a",
        tenant="/root",
        admin_state="online",
        storage_instances=(storage,),
    )
    tenant = cast(Tenant, SimpleNamespace(app_instance=lambda _name: ai, path="/root"))
    return dict(host_access.attach(tenant, ID, {"initiator": IQN}, chap=None, **how)["data"])


def last(portals: Sequence[str]) -> str:
    return portals[-1]


def test_without_round_robin_it_is_the_first() -> None:
    assert attach("10.0.0.1", "10.0.0.2", choose=last)["target_portal"] == "10.0.0.1:3260"


@pytest.mark.parametrize("ips", [("10.0.0.1",), ("10.0.0.1", "10.0.0.2"), ("a", "b", "c")])
def test_with_round_robin_it_is_any_of_those_that_there_are(ips: tuple[str, ...]) -> None:
    chosen = {attach(*ips, round_robin=True)["target_portal"] for _ in range(60)}
    assert chosen == {f"{ip}:3260" for ip in ips}
