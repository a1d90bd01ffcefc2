# SPDX-License-Identifier: Apache-2.0
"""As whom Glance is asked whether an image is gone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cinder import context as cinder_context
from cinder import service_auth

from datera_volume.features.glance import seeing_all

pytestmark = pytest.mark.release


def request(**fields: Any) -> Any:
    """A context of a user's."""
    return cinder_context.RequestContext("user", "project", overwrite=False, **fields)


def service_user(monkeypatch: pytest.MonkeyPatch, *roles: str) -> Any:
    """Cinder's own user, with these roles."""
    plugin = SimpleNamespace(get_access=lambda _session: SimpleNamespace(role_names=roles))
    monkeypatch.setattr(service_auth, "get_service_auth_plugin", lambda: plugin)
    monkeypatch.setattr(service_auth, "get_service_session", lambda: None)
    return plugin


def test_an_administrator_with_a_token_is_asked_as() -> None:
    admin = request(is_admin=True, auth_token="token")
    assert seeing_all(admin) is admin
    assert seeing_all(request(is_admin=True)) is None
    assert seeing_all(request(is_admin=False, auth_token="token")) is None
    assert seeing_all(None) is None


def test_for_a_user_cinders_own_user_asks_if_it_is_an_administrator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin = service_user(monkeypatch, "service", "admin")
    catalog = [{"type": "image", "endpoints": [{"publicURL": "http://glance"}]}]
    asking = seeing_all(request(is_admin=False, auth_token="token", service_catalog=catalog))
    assert asking.get_auth_plugin() is plugin
    assert asking.service_catalog == catalog
    service_user(monkeypatch, "service")
    assert seeing_all(request(is_admin=False, auth_token="token")) is None
