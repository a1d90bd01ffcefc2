# SPDX-License-Identifier: Apache-2.0
"""Switches are set from text, with their types."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from datera_emulator.switches import Dialect, Limits, Switches, product_version


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


def test_the_documentation_lists_every_switch_with_its_default() -> None:
    page = (Path(__file__).parents[3] / "docs" / "emulator.md").read_text()
    table = page[page.index("## Switches") : page.index("## Fault injection")]
    documented = dict(re.findall(r"^\| `([a-z_.]+)` \| `?([^|`]+)`? \|", table, re.MULTILINE))
    defaults = dataclasses.asdict(Switches())
    limits = {f"limits.{name}": value for name, value in dataclasses.asdict(Limits()).items()}
    del defaults["limits"]
    shown = {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in {**defaults, **limits}.items()
    }
    shown = {name: {"None": "by product"}.get(text, text) for name, text in shown.items()}
    shown = {
        name: text.lower() if text in ("True", "False") else text for name, text in shown.items()
    }
    assert documented == shown
