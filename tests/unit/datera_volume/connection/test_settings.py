# SPDX-License-Identifier: Apache-2.0
"""What a cluster's settings accept, and what they make of ports."""

from __future__ import annotations

from typing import Any

import pytest

from datera_volume.connection import TLS, ClusterSettings

PLAIN = TLS(enabled=False)


@pytest.mark.parametrize(
    ("port", "tls", "address"),
    [
        (None, TLS(), "array:7718"),
        (7717, TLS(), "array:7718"),
        (7718, TLS(), "array:7718"),
        (8443, TLS(), "array:8443"),
        (None, PLAIN, "array:7717"),
        (7717, PLAIN, "array:7717"),
        (7718, PLAIN, "array:7718"),
    ],
)
def test_the_standard_port_follows_the_protocol_and_any_other_is_literal(
    port: int | None, tls: TLS, address: str
) -> None:
    settings = ClusterSettings("array", "admin", "secret", port=port, tls=tls)
    assert settings.address == address


def test_tls_is_on_unless_it_is_switched_off() -> None:
    assert ClusterSettings("array", "admin", "secret").scheme == "https"
    assert ClusterSettings("array", "admin", "secret", tls=PLAIN).scheme == "http"


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert ClusterSettings("fd00::1", "admin", "secret").address == "[fd00::1]:7718"


@pytest.mark.parametrize("spelling", ["2.2", "v2.2"])
def test_a_version_may_be_spelled_with_its_letter(spelling: str) -> None:
    settings = ClusterSettings("array", "admin", "secret", api_version=spelling)
    assert settings.version == "v2.2"


def test_the_password_is_not_in_the_repr() -> None:
    assert "hunter22" not in repr(ClusterSettings("array", "admin", "hunter22"))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"host": ""}, "''"),
        ({"host": "array/x"}, "array/x"),
        ({"host": "user@array"}, "user@array"),
        ({"username": ""}, "array"),
        ({"password": ""}, "array"),
        ({"api_version": "2"}, "2.1, 2.2, 2.3"),
        ({"busy_timeout": -1}, "busy_timeout"),
        ({"connect_timeout": 0}, "connect_timeout"),
    ],
)
def test_an_invalid_setting_is_named(changed: dict[str, Any], named: str) -> None:
    usual = {"host": "array", "username": "admin", "password": "secret"}
    with pytest.raises(ValueError, match=named):
        ClusterSettings(**{**usual, **changed})
