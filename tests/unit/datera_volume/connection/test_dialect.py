# SPDX-License-Identifier: Apache-2.0
"""What versions disagree on."""

from __future__ import annotations

import pytest

from datera_volume.connection.dialect import dialect_for, numbers_of


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3.3.0.0", (3, 3, 0, 0)),
        ("3.3.0.0-x", (3, 3, 0, 0)),
        ("3.3.0.0.b12", (3, 3, 0, 0)),
        ("3", (3,)),
        ("", (0,)),
        ("unknown", (0,)),
    ],
)
def test_a_product_version_is_its_leading_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert numbers_of(text) == numbers


def test_api_21_has_neither_pages_nor_what_came_with_22() -> None:
    dialect = dialect_for("2.1", "3.3.0.0")
    assert not dialect.pages
    assert not dialect.initiator_force
    assert not dialect.placement_policies


def test_a_product_before_33_has_pages_but_counts_without_the_filter() -> None:
    dialect = dialect_for("2.2", "3.2.9.9")
    assert dialect.pages
    assert dialect.initiator_force
    assert not dialect.total_counts_filter
    assert not dialect.placement_policies
    assert not dialect.template_override


def test_a_product_from_33_on_has_all() -> None:
    for version in ("2.2", "2.3"):
        dialect = dialect_for(version, "3.10.0.0")
        assert dialect.total_counts_filter
        assert dialect.placement_policies
        assert dialect.template_override
