# SPDX-License-Identifier: Apache-2.0
"""Users, their roles, and who one is."""

from __future__ import annotations

import dataclasses

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import (
    BOOLEAN,
    LINK,
    PASSWORD,
    PATH,
    TEXT,
    USER_ID,
    closed,
    list_of,
)
from datera_emulator.documents import Document
from datera_emulator.errors import Conflict, NotFound, RequestInvalid
from datera_emulator.rules.lookup import name_at
from datera_emulator.state.tenancy import canonical
from datera_emulator.state.users import ADMIN, ROLES, User

ROUTES = Router()

_ONE = "/users/:user_id"
_EMAIL = {
    "type": ["string", "null"],
    "pattern": r"^[^<>()\[\]\\,;:\s@\"]+@([a-zA-Z\-0-9]+\.)+[a-zA-Z]{2,}$",
    "maxLength": 254,
}
_PROPERTIES = {
    "full_name": TEXT,
    "password": PASSWORD,
    "email": _EMAIL,
    "enabled": BOOLEAN,
    "roles": list_of(PATH),
    "tenants": list_of(PATH),
}


@ROUTES.route("GET", "/users", entity="user")
def list_all(call: Call) -> Result:
    """List the users."""
    return Listing(list(call.cluster.users.values()), render.user, identity=lambda one: one.user_id)


@ROUTES.route(
    "POST",
    "/users",
    entity="user",
    body=closed(("user_id", "full_name", "password"), user_id=USER_ID, **_PROPERTIES),
)
def create(call: Call) -> Result:
    """Make a user."""
    cluster, wish = call.cluster, call.body
    if wish["user_id"] in cluster.users:
        raise Conflict(f"User {wish['user_id']} exists already")
    if len(cluster.users) >= cluster.switches.limits.users:
        raise RequestInvalid(f"The cluster holds {len(cluster.users)} users, its limit")
    user = User(**_checked(call))
    cluster.save(user)
    return render.user(user)


@ROUTES.route("GET", _ONE, entity="user")
def show(call: Call) -> Result:
    """Show one user, without the password."""
    return render.user(_user(call))


@ROUTES.route("PUT", _ONE, entity="user", body=closed((), **_PROPERTIES))
def update(call: Call) -> Result:
    """Change a user; keys that were given out stay, unless the user is disabled."""
    user = _user(call)
    changed = dataclasses.replace(user, **_checked(call))
    if not changed.enabled and user.user_id == call.cluster.username:
        raise RequestInvalid(
            f"User {user.user_id} is the built-in administrator and cannot be disabled"
        )
    call.cluster.save(changed)
    if not changed.enabled:
        call.cluster.tokens.revoke_of(user.user_id)
    return render.user(changed)


@ROUTES.route("DELETE", _ONE, entity="user")
def delete(call: Call) -> Result:
    """Delete a user, whose keys become worthless."""
    user = _user(call)
    if user.user_id == call.cluster.username:
        raise RequestInvalid(
            f"User {user.user_id} is the built-in administrator and cannot be deleted"
        )
    call.cluster.forget(user)
    call.cluster.tokens.revoke_of(user.user_id)
    return render.user(user)


@ROUTES.route("GET", f"{_ONE}/roles", entity="role")
def list_roles_of(call: Call) -> Result:
    """List a user's roles."""
    return Listing(_user(call).roles, render.role, identity=str)


@ROUTES.route("PUT", f"{_ONE}/roles", entity="user", body=LINK)
def link_role(call: Call) -> Result:
    """Give a user a role, or take it away."""
    user, role = _user(call), _role(name_at(call.body["path"], "roles"))
    if call.body["op"] == "add":
        if role in user.roles:
            raise Conflict(f"User {user.user_id} has role {role} already")
        user.roles.append(role)
    else:
        if role not in user.roles:
            raise NotFound(f"User {user.user_id} does not have role {role}")
        user.roles.remove(role)
    call.cluster.save(user)
    return render.role(role)


@ROUTES.route("GET", "/roles", entity="role")
def list_roles(call: Call) -> Result:
    """List the roles that there are."""
    return Listing(list(ROLES), render.role, identity=str)


@ROUTES.route("GET", "/roles/:role_id", entity="role")
def show_role(call: Call) -> Result:
    """Show one role."""
    return render.role(_role(call.arguments["role_id"]))


@ROUTES.route("GET", "/userinfo", entity="session")
def show_caller(call: Call) -> Result:
    """Show who is logged in."""
    caller = call.caller
    return {
        "path": f"/users/{caller.user_id}",
        "user_id": caller.user_id,
        "roles": render.paths("roles", caller.roles),
        "tenants": [{"path": path} for path in caller.tenants],
    }


def _checked(call: Call) -> Document:
    """Return the body with its references followed."""
    wish = dict(call.body)
    if "roles" in wish:
        wish["roles"] = [_role(name_at(one["path"], "roles")) for one in wish["roles"]]
    elif call.method == "POST":
        wish["roles"] = [ADMIN]
    if "tenants" in wish:
        wish["tenants"] = [
            call.cluster.tenant(canonical(one["path"])).path for one in wish["tenants"]
        ]
    if "email" in wish:
        wish["email"] = wish["email"] or ""
    return wish


def _user(call: Call) -> User:
    name = call.arguments["user_id"]
    if name not in call.cluster.users:
        raise NotFound(f"No user {name}")
    return call.cluster.users[name]


def _role(name: str) -> str:
    if name not in ROLES:
        raise NotFound(f"No role {name}")
    return name
