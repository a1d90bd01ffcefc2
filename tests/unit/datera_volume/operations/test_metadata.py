# SPDX-License-Identifier: Apache-2.0
"""What is written beside a volume: bounded, and nothing of who is attached."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from datera_volume.operations import metadata


def volume(**fields: Any) -> Any:
    usual: dict[str, Any] = {
        "id": "an id",
        "project_id": "a project",
        "display_name": "a name",
        "host": "host@datera#pool",
        "availability_zone": None,
        "bootable": False,
    }
    return SimpleNamespace(**{**usual, **fields})


def test_metadata_of_a_volume() -> None:
    assert metadata.metadata_of(volume()) == {
        "cinder_id": "an id",
        "project_id": "a project",
        "display_name": "a name",
        "host": "host@datera#pool",
        "availability_zone": "",
        "bootable": "False",
    }


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f600", '"'])
def test_metadata_uses_at_most_half_of_the_available_room(letter: str) -> None:
    long = letter * 255
    words = metadata.metadata_of(
        volume(display_name=long, host=long, project_id=long, availability_zone=long)
    )
    assert len(json.dumps(words)) < 1024
    assert words["display_name"] == letter * len(words["display_name"]) != ""
