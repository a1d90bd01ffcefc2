# SPDX-License-Identifier: Apache-2.0
"""A tenant's path has one canonical form and a list of ancestors."""

from __future__ import annotations

from datera_emulator.state.tenancy import ancestors, canonical


def test_tenants_have_one_canonical_path() -> None:
    for spelling in ("/root/a", "root/a", "/tenants/root/a", "/root/a/"):
        assert canonical(spelling) == "/root/a"
    assert ancestors("/root/a/b") == ["/root/a", "/root"]
    assert ancestors("/root") == []
