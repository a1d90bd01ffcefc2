# SPDX-License-Identifier: Apache-2.0
"""What a type may say is listed for operators with its bounds and the section's default."""

from __future__ import annotations

from datera_volume.capabilities import vendor_properties
from datera_volume.policies import LIMITS, SETTINGS


def test_every_setting_is_listed_and_nothing_else() -> None:
    assert set(vendor_properties({}, one_replica=False)) == {f"DF:{name}" for name in SETTINGS}


def test_each_property_has_a_type_and_bounds() -> None:
    for name, told in vendor_properties({}, one_replica=False).items():
        assert told["title"], name
        assert told["description"].endswith(".")
        kind = {"integer": int, "boolean": bool, "string": str}[told["type"]]
        assert isinstance(told["default"], kind)
        if kind is int:
            assert told["minimum"] <= told["default"] <= told["maximum"]
    assert (
        vendor_properties({}, one_replica=False)["DF:total_iops_max"]["maximum"]
        == LIMITS["total_iops_max"]
    )


def test_the_defaults_are_the_sections() -> None:
    defaults = {
        "replica_count": "2",
        "iops_per_gb": "10",
        "round_robin": "True",
        "ip_pool": "a,b",
        "template": "gold",
    }
    told = vendor_properties(defaults, one_replica=False)
    assert {name: told[f"DF:{name}"]["default"] for name in defaults} == {
        "replica_count": 2,
        "iops_per_gb": 10,
        "round_robin": True,
        "ip_pool": "a,b",
        "template": "gold",
    }
    assert vendor_properties(defaults, one_replica=True)["DF:replica_count"]["default"] == 1
