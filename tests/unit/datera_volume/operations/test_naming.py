# SPDX-License-Identifier: Apache-2.0
"""A volume is found by the id that ends its name, and by nothing else."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from datera_volume.connection import RequestRefused
from datera_volume.operations import naming

MINE = "11111111-2222-4333-8444-555555555555"
OTHER = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


@pytest.mark.parametrize(
    ("name", "is_mine"),
    [
        (f"OS-{MINE}", True),
        (f"OS-database-{MINE}", True),
        (f"OS-{OTHER}-{MINE}", True),
        (f"OS--{MINE}", True),
        (f"OS-{MINE}-{OTHER}", False),
        (f"OS-{OTHER}", False),
        (f"OS-x{MINE}", False),
        (f"OS-{MINE}x", False),
        (f"UNMANAGED-{MINE}", False),
        (f"backup-{MINE}", False),
        (MINE, False),
    ],
)
def test_only_the_id_at_the_end_counts(name: str, is_mine: bool) -> None:
    assert naming.is_instance_name(name, MINE) is is_mine


def test_the_pattern_finds_every_name_of_the_volume_and_none_that_ends_with_another_id() -> None:
    pattern = re.compile(naming.instance_pattern(MINE))
    assert pattern.fullmatch(naming.instance_name(MINE))
    assert pattern.fullmatch(f"OS-database-{MINE}")
    assert not pattern.fullmatch(f"OS-{MINE}-{OTHER}")


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        (None, "/root"),
        ("", "/root"),
        ("None", "/root"),
        ("none", "/root"),
        ("Map", "/root/OS-0123"),
        ("map", "/root/OS-0123"),
        ("cloud", "/root/cloud"),
        ("/root/cloud", "/root/cloud"),
        ("groot", "/root/groot"),
        ("mapped", "/root/mapped"),
    ],
)
def test_tenant_for_a_project_is_the_configured_one(setting: str | None, path: str) -> None:
    assert naming.tenant_for(setting, "0123") == path


def test_what_the_driver_keeps_for_itself_is_told_from_volumes_of_that_display_name() -> None:
    assert (
        naming.own_use_of(f"OS-image-{MINE}", f"Image {MINE} of 20260101T000000")
        == "a cached image"
    )
    assert naming.own_use_of(f"OS-image-{MINE}", "") is None
    assert naming.id_in(f"OS-image-{MINE}") == MINE
    assert naming.own_use_of(f"backup-{MINE}", f"Cinder backup container of volume {MINE}")


@pytest.mark.parametrize("name", [f"OS-{'x' * 36}", f"OS-x{MINE}", MINE, f"UNMANAGED-{MINE}"])
def test_a_name_that_does_not_end_with_an_id_of_its_own_is_no_volumes(name: str) -> None:
    assert naming.id_in(name) is None


@pytest.mark.parametrize("text", [None, "", "lab", "/rooted/lab", "iqn.x"])
def test_only_a_path_below_the_root_is_a_remembered_tenant(text: str | None) -> None:
    assert naming.remembered_tenant(SimpleNamespace(provider_id=text)) is None
    assert naming.remembered_tenant(SimpleNamespace(provider_id="/root/lab")) == "/root/lab"


@pytest.mark.parametrize("project", ["a/b", "/root/OS-0123", "0123/x", "../0123"])
def test_a_project_named_like_a_path_gets_no_tenant(project: str) -> None:
    with pytest.raises(RequestRefused, match="can have no tenant of its own"):
        naming.tenant_for("Map", project)
    assert naming.tenant_for("all", project) == "/root/all"
