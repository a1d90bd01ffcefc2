# SPDX-License-Identifier: Apache-2.0
"""Ids cannot change a request, and tenants are what they are called."""

from __future__ import annotations

import pytest

from datera_volume.connection import RequestRefused
from datera_volume.connection.transport.paths import child, escaped, tenant_path


@pytest.mark.parametrize(
    ("name", "in_url"),
    [
        ("a?force=true", "a%3Fforce=true"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
        ("50%", "50%25"),
        ("iqn.1993-08.org.debian:01:ab", "iqn.1993-08.org.debian:01:ab"),
        ("Größe", "Gr%C3%B6%C3%9Fe"),
    ],
)
def test_a_name_stays_one_segment(name: str, in_url: str) -> None:
    assert escaped(child("/app_instances", name)) == f"/app_instances/{in_url}"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../tenants"])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(RequestRefused):
        child("/app_instances", name)


def test_a_path_that_leads_elsewhere_is_refused() -> None:
    with pytest.raises(RequestRefused):
        escaped("/app_instances/../system")


@pytest.mark.parametrize(
    ("tenant", "path"),
    [
        (None, "/root"),
        ("", "/root"),
        ("root", "/root"),
        ("/root", "/root"),
        ("x", "/root/x"),
        ("/x", "/root/x"),
        ("root/x", "/root/x"),
        ("/root/x", "/root/x"),
        ("/root/x/", "/root/x"),
        ("groot", "/root/groot"),
        ("rootless", "/root/rootless"),
        ("/root/groot/sub", "/root/groot/sub"),
    ],
)
def test_a_tenant_is_root_or_below_and_keeps_its_name(tenant: str | None, path: str) -> None:
    assert tenant_path(tenant) == path
