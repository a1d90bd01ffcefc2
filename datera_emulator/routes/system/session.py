# SPDX-License-Identifier: Apache-2.0
"""Logging in and out."""

from __future__ import annotations

from datera_emulator.api.routing import Bare, Call, Result, Router
from datera_emulator.api.schemas import LOGIN
from datera_emulator.errors import AuthFailed
from datera_emulator.state.users import Caller, caller_from

ROUTES = Router()


@ROUTES.route("PUT", "/login", entity="session", body=LOGIN, needs_key=False)
def log_in(call: Call) -> Result:
    """Give out a key; the one reply without an envelope."""
    caller = _caller(call)
    key = call.cluster.tokens.issue()
    call.cluster.tokens.give(key, caller)
    document = {"key": key, "version": call.dialect.api, "request_time": 0}
    return Bare(document, wrapped=call.dialect.pages and call.cluster.switches.wrapped_login)


@ROUTES.route("PUT", "/logout", entity="session", body={"type": "object"})
def log_out(call: Call) -> Result:
    """Make the key worthless."""
    call.cluster.tokens.revoke(call.key)
    return {}


def _caller(call: Call) -> Caller:
    """Return who logs in: one of the cluster's users, or one that a remote server knows."""
    cluster, name, server = call.cluster, call.body["name"], call.body.get("remote_server", "")
    locked = cluster.lockouts.locked(name, server)
    known = cluster.directories.get(server, ()) if server else list(cluster.users.values())
    for user in known:
        if not locked and user.user_id == name and user.proves(call.body["password"]):
            cluster.lockouts.succeeded(name, server)
            return caller_from(user, server)
    cluster.lockouts.failed(name, server)
    raise AuthFailed("Login failed: the user name or the password is wrong.")
