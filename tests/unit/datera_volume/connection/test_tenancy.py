# SPDX-License-Identifier: Apache-2.0
"""One vocabulary says which tenant is meant, and what no cluster would take is refused."""

from __future__ import annotations

import pytest

from datera_volume.connection import BadTenant, configured_tenant


@pytest.mark.parametrize("setting", [None, "", " ", "None", "none", "root", "/root", "/root/"])
def test_an_unset_tenant_is_the_root(setting: str | None) -> None:
    assert configured_tenant(setting) == "/root"


@pytest.mark.parametrize("setting", ["Map", "map", " MAP "])
def test_map_is_no_tenant_but_one_for_each_project(setting: str) -> None:
    assert configured_tenant(setting) is None


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ("cloud", "/root/cloud"),
        (" root/cloud ", "/root/cloud"),
        ("/root/cloud/east.1", "/root/cloud/east.1"),
        ("_ab", "/root/_ab"),
        ("x" * 64, f"/root/{'x' * 64}"),
        ("6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a", "/root/6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a"),
        ("/root/None", "/root/None"),
    ],
)
def test_a_name_or_a_path_is_that_tenant(setting: str, path: str) -> None:
    assert configured_tenant(setting) == path


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("ab", "ab"),
        ("x" * 65, "x" * 65),
        ("7th", "7th"),
        ("my lab", "my lab"),
        ("/root/..", ".."),
        ("/root/west/b@d", "b@d"),
        ("caf\u00e9s", "caf\u00e9s"),
        ("0cinder", "0cinder"),
        ("\u00fc", "\u00fc"),
        ("x" * 200, "x" * 200),
        ("lab\u0663", "lab\u0663"),
    ],
)
def test_what_no_cluster_takes_is_refused_by_name_with_the_rule(setting: str, name: str) -> None:
    with pytest.raises(BadTenant) as told:
        configured_tenant(setting)
    assert repr(name) in str(told.value)
    assert "3 to 64 letters, digits, underscores, dots and dashes" in str(told.value)


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ("/tenants/root/foo", "/root/foo"),
        ("tenants/root/foo/bar", "/root/foo/bar"),
        ("/tenants/foo", "/root/foo"),
        ("/tenants/root", "/root"),
    ],
)
def test_where_the_api_has_a_tenant_is_no_path_and_the_path_is_told(
    setting: str, path: str
) -> None:
    with pytest.raises(BadTenant, match=f"the tenant {path}: write that"):
        configured_tenant(setting)


@pytest.mark.parametrize("setting", ["tenants", "/root/tenants/foo"])
def test_a_tenant_may_be_called_tenants(setting: str) -> None:
    assert configured_tenant(setting) == f"/root/{setting.removeprefix('/root/')}"


def test_a_path_that_cinder_cannot_remember_is_refused() -> None:
    longest = "/".join(["x" * 61] * 4) + "xx"
    assert len(configured_tenant(longest) or "") == 255
    with pytest.raises(BadTenant, match="256 characters; it must be at most 255"):
        configured_tenant(longest + "x")
