# SPDX-License-Identifier: Apache-2.0
"""A type's specs are read exactly, or refused by name."""

from __future__ import annotations

import pytest

from datera_volume.policies import (
    BadPolicy,
    Policies,
    limits_in,
    policies_from,
    round_robin_in,
    values_of_type,
)


def of_type(
    extra: dict[str, str] | None = None,
    qos: dict[str, str] | None = None,
    defaults: dict[str, str] | None = None,
) -> Policies:
    return policies_from(values_of_type(extra or {}, qos or {}, defaults or {}))


def test_without_any_spec_three_replicas_in_the_default_pool_and_no_limits() -> None:
    policies = of_type()
    assert policies.replica_count == 3
    assert policies.ip_pools == ("default",)
    assert policies.placement_mode is None
    assert policies.limits.for_size(10) == {}


def test_qos_specs_win_over_extra_specs_and_these_over_the_defaults() -> None:
    policies = of_type(
        {"DF:total_iops_max": "20", "DF:read_iops_max": "20"},
        {"DF:total_iops_max": "30", "write_iops_max": "30"},
        {"total_iops_max": "10", "read_iops_max": "10", "replica_count": "2"},
    )
    assert policies.limits.for_size(1) == {
        "total_iops_max": 30,
        "read_iops_max": 20,
        "write_iops_max": 30,
    }
    assert policies.replica_count == 2


def test_specs_of_others_are_none_of_ours() -> None:
    policies = of_type(
        {"foo:replica_count": "5", "replica_count": "4", "volume_backend_name": "x", "XDF:y": "1"},
        {"maxIOPS": "7", "replica_count": "5"},
    )
    assert policies == of_type()


def test_a_name_that_begins_with_letters_of_the_scope_stays_whole() -> None:
    with pytest.raises(BadPolicy, match="DF:Foo"):
        of_type({"DF:Foo": "1"})


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("replica_count", "0"),
        ("replica_count", "6"),
        ("replica_count", "two"),
        ("replica_count", "1.5"),
        ("replica_count", "+2"),
        ("replica_count", "\u0663"),
        ("total_iops_max", "1_000"),
        ("read_iops_max", "\u0661\u0660\u0660"),
        ("write_bandwidth_max", "\u00b2"),
        ("bandwidth_per_gb", "1 000"),
        ("iops_per_gb", "9" * 5000),
        ("placement_mode", "flash"),
        ("total_iops_max", "-1"),
        ("total_iops_max", "10000001"),
        ("read_bandwidth_max", "10240001"),
        ("round_robin", "maybe"),
        ("acl_allow_all", "2"),
        ("ip_pool", "one,a/b"),
        ("placement_policy", "/media/fast"),
        ("template", "../x"),
        ("default_storage_name", "1"),
        ("default_volume_name", "a b c"),
        ("replica_cuont", "2"),
    ],
)
def test_an_invalid_option_is_refused_by_name(spec: str, value: str) -> None:
    with pytest.raises(BadPolicy, match=f"DF:{spec}"):
        of_type({f"DF:{spec}": value})
    with pytest.raises(BadPolicy, match=f"DF:{spec}"):
        of_type(defaults={spec: value})


@pytest.mark.parametrize(("text", "truth"), [("True", True), ("<is> True", True), ("false", False)])
def test_truth_is_read_as_cinder_writes_it(text: str, truth: bool) -> None:
    assert of_type({"DF:round_robin": text}).round_robin is truth


def test_limits_per_gb_grow_with_the_size_up_to_the_total() -> None:
    policies = of_type({"DF:iops_per_gb": "100", "DF:total_iops_max": "550"})
    assert policies.limits.for_size(1) == {"total_iops_max": 100}
    assert policies.limits.for_size(5) == {"total_iops_max": 500}
    assert policies.limits.for_size(6) == {"total_iops_max": 550}


def test_limits_per_gb_alone_are_not_capped_at_one() -> None:
    policies = of_type({"DF:bandwidth_per_gb": "200"})
    assert policies.limits.for_size(10) == {"total_bandwidth_max": 2000}
    assert policies.limits.for_size(1_000_000) == {"total_bandwidth_max": 10_240_000}


def test_a_limit_of_zero_is_unlimited() -> None:
    policies = of_type({"DF:total_iops_max": "0", "DF:iops_per_gb": "0"})
    assert policies.limits.for_size(10) == {}


def test_one_of_several_pools_is_chosen() -> None:
    policies = of_type({"DF:ip_pool": "pool-1, 7,"})
    assert policies.ip_pools == ("pool-1", "7")
    assert policies.ip_pool(lambda pools: pools[-1]) == "7"


def test_of_a_volume_that_exists_only_what_is_needed_is_looked_at() -> None:
    values = {"tier": "gold", "replica_count": "many", "iops_per_gb": "10"}
    assert limits_in({**values, "round_robin": "maybe"}).for_size(2) == {"total_iops_max": 20}
    assert round_robin_in({**values, "total_iops_max": "all", "round_robin": "True"})


def test_the_override_for_tests_wins_over_everything() -> None:
    assert policies_from({"replica_count": "3"}, one_replica=True).replica_count == 1


def test_a_policy_is_named_or_given_by_its_path() -> None:
    for text in ("fast", "/placement_policies/fast"):
        assert of_type({"DF:placement_policy": text}).placement_policy == text


def test_the_text_false_is_false_and_a_pool_of_digits_stays_a_text() -> None:
    policies = of_type({"DF:round_robin": "<is> False", "DF:acl_allow_all": "false"})
    assert (policies.round_robin, policies.open_to_all) == (False, False)
    assert of_type({"DF:ip_pool": "7", "DF:template": "8"}).ip_pools == ("7",)
    assert of_type({"DF:template": "8"}).template == "8"


def test_a_types_own_specs_are_unchanged() -> None:
    extra, qos, defaults = {"DF:ip_pool": "a"}, {"total_iops_max": "1"}, {"replica_count": "2"}
    values_of_type(extra, qos, defaults)["ip_pool"] = "b"
    assert (extra, qos, defaults) == (
        {"DF:ip_pool": "a"},
        {"total_iops_max": "1"},
        {"replica_count": "2"},
    )
