# SPDX-License-Identifier: Apache-2.0
"""Users, their roles and tenants, and remote servers that vouch for users."""

from __future__ import annotations

from typing import Any

import pytest

from datera_emulator.state.users import User, directories_from
from datera_emulator.switches import Limits, Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

SOMEBODY = {"user_id": "alice", "full_name": "Alice Doe", "password": "correct_horse"}
LOGIN = {"name": "alice", "password": "correct_horse"}


def become(api: Api, *roles: str, tenants: tuple[str, ...] = ("/root",)) -> None:
    """Log in as a new user of these roles and tenants."""
    api.good(
        "POST",
        "/users",
        {
            **SOMEBODY,
            "roles": [{"path": f"/roles/{role}"} for role in roles],
            "tenants": [{"path": path} for path in tenants],
        },
    )
    api.key = api.good("PUT", "/login", LOGIN)["key"]


def test_users_log_in_until_they_are_disabled_or_gone(api: Api) -> None:
    assert api.refused("PUT", "/login", LOGIN)[0] == 401
    made = api.good("POST", "/users", {**SOMEBODY, "email": "alice@example.org"})
    assert made["password"] == "(hidden)"
    assert api.refused("POST", "/users", SOMEBODY)[0] == 409
    admin = api.key
    for end in (("PUT", {"enabled": False}), ("DELETE", {})):
        api.good("PUT", made["path"], {"enabled": True})
        key = api.good("PUT", "/login", LOGIN)["key"]
        api.good(end[0], made["path"], end[1])
        assert api.refused("PUT", "/login", LOGIN)[0] == 401
        api.key = key
        assert api.refused("GET", "/system")[0] == 401
        api.key = admin


def test_the_first_administrator_cannot_be_lost(api: Api) -> None:
    assert api.refused("DELETE", "/users/admin")[0] == 400
    assert api.refused("PUT", "/users/admin", {"enabled": False})[0] == 400
    api.good("PUT", "/users/admin", {"password": "another_one"})
    assert api.refused("PUT", "/login", {"name": "admin", "password": "password"})[0] == 401


def test_roles_are_given_and_taken_one_by_one(api: Api) -> None:
    become(api, "viewer")
    assert api.good("GET", "/userinfo")["user_id"] == "alice"
    assert api.refused("POST", "/app_instances", {"name": "one"})[0] == 401
    assert api.good("GET", "/app_instances") == []
    api.log_in()
    api.good("PUT", "/users/alice/roles", {"op": "add", "path": "/roles/operator"})
    body = {"op": "add", "path": "/roles/operator"}
    assert api.refused("PUT", "/users/alice/roles", body)[0] == 409
    api.good("PUT", "/users/alice/roles", {"op": "remove", "path": "/roles/viewer"})
    assert [one["role_id"] for one in api.good("GET", "/users/alice/roles")] == ["operator"]
    api.key = api.good("PUT", "/login", LOGIN)["key"]
    api.create()
    assert len(api.good("GET", "/roles")) == 3
    assert api.refused("GET", "/roles/emperor")[0] == 404


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_tenants_user_stays_in_that_tenant(make_api: MakeApi, status: str) -> None:
    api = make_api(switches=Switches(permission_status=status))
    api.good("POST", "/tenants", {"name": "acme"})
    api.good("POST", "/tenants", {"name": "acmes_neighbour"})
    become(api, "operator", tenants=("/root/acme",))
    for tenant in ("/root", "/root/acmes_neighbour"):
        api.tenant = tenant
        code, body = api.ask("GET", "/app_instances")
        assert (str(code), body["name"]) == (status, "PermissionDeniedError")
    api.tenant = "/root/acme"
    api.create()


def test_a_tenant_is_made_by_administrators_below_their_own(api: Api) -> None:
    api.good("POST", "/tenants", {"name": "acme"})
    become(api, "operator", tenants=("/root/acme",))
    api.tenant = "/root/acme"
    below = {"name": "sales", "parent_path": "/root/acme"}
    assert api.refused("POST", "/tenants", below)[0] == 401
    api.tenant = "/root"
    api.log_in()
    api.good("PUT", "/users/alice/roles", {"op": "add", "path": "/roles/admin"})
    api.key = api.good("PUT", "/login", LOGIN)["key"]
    for tenant in ("/root", "/root/acme"):
        api.tenant = tenant
        assert api.refused("POST", "/tenants", {"name": "other"})[0] == 422
    api.good("POST", "/tenants", below)
    api.good("POST", "/tenants", {"name": "north", "parent_path": "/root/acme/sales"})
    seen = [one["path"] for one in api.good("GET", "/tenants")]
    assert seen == ["/root/acme", "/root/acme/sales", "/root/acme/sales/north"]
    assert api.refused("GET", "/tenants/root")[0] == 401
    assert api.refused("DELETE", "/tenants/root/acme/sales")[0] == 400


def test_a_remote_server_vouches_for_its_own_users_only(api: Api) -> None:
    api.cluster.directories = directories_from(["ldap.example/alice:correct_horse"])
    remote = {**LOGIN, "remote_server": "ldap.example"}
    assert api.refused("PUT", "/login", LOGIN)[0] == 401
    assert api.refused("PUT", "/login", {**remote, "remote_server": "other"})[0] == 401
    assert api.refused("PUT", "/login", {**remote, "password": "battery_staple"})[0] == 401
    admin = {"name": "admin", "password": "password", "remote_server": "ldap.example"}
    assert api.refused("PUT", "/login", admin)[0] == 401
    api.key = api.good("PUT", "/login", remote)["key"]
    assert api.good("GET", "/userinfo")["user_id"] == "alice"
    assert "correct_horse" not in repr(api.cluster.directories)


@pytest.mark.parametrize("text", ["ldap", "ldap/alice", "/alice:pw", "ldap/:pw", "ldap/alice:"])
def test_a_directory_that_is_not_understood_is_refused_without_its_secret(text: str) -> None:
    with pytest.raises(ValueError, match="SERVER/USER:PASSWORD") as caught:
        directories_from([text])
    assert ":pw" not in str(caught.value)


def test_a_password_is_never_shown_in_a_repr_or_a_refusal(api: Api) -> None:
    assert "secret" not in repr(User("bob", "Bob", "secret"))
    wish: dict[str, Any] = {**SOMEBODY, "password": "no good secret"}
    _, body = api.ask("POST", "/users", wish)
    assert "no good secret" not in str(body)


def test_users_and_targets_have_limits(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(limits=Limits(users=1, storage_instances=1)))
    assert api.refused("POST", "/users", SOMEBODY)[0] == 400
    made = api.create()
    body = {"name": "storage-2"}
    assert api.refused("POST", f"{made['path']}/storage_instances", body)[0] == 400
    clone = {"name": "clone", "clone_src": {"path": made["path"]}}
    assert api.refused("POST", "/app_instances", clone)[0] == 400
