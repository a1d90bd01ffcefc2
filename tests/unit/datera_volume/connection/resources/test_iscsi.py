# SPDX-License-Identifier: Apache-2.0
"""The connection properties of a target: portals, IQN and LUN."""

from __future__ import annotations

import pytest

from datera_volume.connection import StorageInstance, UnexpectedAnswer, target_properties

IQN = "iqn.2013-05.com.daterainc:tc:01:sn:1"


def storage(*ips: str, iqn: str = IQN) -> StorageInstance:
    return StorageInstance(name="storage-1", path="/s", op_state="available", ips=ips, iqn=iqn)


def test_without_multipath_one_portal_is_named() -> None:
    assert target_properties(storage("10.0.0.1", "10.0.0.2"), multipath=False) == {
        "target_discovered": False,
        "target_portal": "10.0.0.1:3260",
        "target_iqn": IQN,
        "target_lun": 0,
    }


def test_with_multipath_each_portal_has_its_iqn_and_lun() -> None:
    properties = target_properties(storage("10.0.0.1", "10.0.0.2"), multipath=True)
    assert properties["target_portals"] == ["10.0.0.1:3260", "10.0.0.2:3260"]
    assert properties["target_iqns"] == [IQN, IQN]
    assert properties["target_luns"] == [0, 0]


def test_an_ipv6_address_stands_in_brackets() -> None:
    properties = target_properties(storage("2001:db8::1"), multipath=False)
    assert properties["target_portal"] == "[2001:db8::1]:3260"


@pytest.mark.parametrize("target", [storage(), storage("10.0.0.1", iqn="")])
def test_a_target_without_portal_or_iqn_is_an_error(target: StorageInstance) -> None:
    with pytest.raises(UnexpectedAnswer, match="/s has no portal, or no IQN"):
        target_properties(target, multipath=False)
