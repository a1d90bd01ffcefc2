# SPDX-License-Identifier: Apache-2.0
"""Switches are set from text, with their types."""

from __future__ import annotations

import pytest

from datera_emulator.switches import Dialect, Switches, product_version
from datera_emulator.tenancy import ancestors, canonical


def test_text_becomes_the_switchs_type() -> None:
    changed = Switches().changed(
        {
            "list_order": "created",
            "snapshot_creating_reads": "0",
            "online_resize": "false",
            "key_lifetime_seconds": "1.5",
            "limits.app_instances": "7",
        }
    )
    assert changed == Switches(
        list_order="created",
        snapshot_creating_reads=0,
        online_resize=False,
        key_lifetime_seconds=1.5,
        limits=changed.limits,
    )
    assert changed.limits.app_instances == 7


@pytest.mark.parametrize(
    "assignment",
    [
        {"colour": "blue"},
        {"limits": "7"},
        {"limits.colour": "7"},
        {"online_resize": "perhaps"},
        {"largest_page": "many"},
        {"online_delete": "sometimes"},
    ],
)
def test_what_does_not_fit_is_refused(assignment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"switch|invalid literal|literal"):
        Switches().changed(assignment)


def test_dialects_know_what_versions_disagree_on() -> None:
    assert not Dialect("v2.1", product_version("3.3.0.0")).placement_policies
    assert not Dialect("v2.2", product_version("3.2.9")).placement_policies
    assert Dialect("v2.2", product_version("3.3")).placement_policies
    assert Dialect("v2.1", product_version("3.3")).ecosystem_data


def test_tenants_have_one_canonical_path() -> None:
    for spelling in ("/root/a", "root/a", "/tenants/root/a", "/root/a/"):
        assert canonical(spelling) == "/root/a"
    assert ancestors("/root/a/b") == ["/root/a", "/root"]
    assert ancestors("/root") == []
