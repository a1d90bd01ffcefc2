# SPDX-License-Identifier: Apache-2.0
"""Logging in and out."""

from __future__ import annotations

import hmac

from datera_emulator.errors import AuthFailed
from datera_emulator.routing import Bare, Call, Result, Router
from datera_emulator.schemas import LOGIN

ROUTES = Router()


@ROUTES.route("PUT", "/login", entity="session", body=LOGIN, needs_key=False)
def log_in(call: Call) -> Result:
    """Give out a key; the one reply without an envelope."""
    cluster = call.cluster
    good_name = hmac.compare_digest(call.body["name"].encode(), cluster.username.encode())
    good_password = hmac.compare_digest(call.body["password"].encode(), cluster.password.encode())
    if not (good_name and good_password):
        raise AuthFailed("Login failed: the user name or the password is wrong.")
    return Bare({"key": cluster.tokens.issue(), "version": call.dialect.api, "request_time": 0})


@ROUTES.route("PUT", "/logout", entity="session", body={"type": "object"})
def log_out(call: Call) -> Result:
    """Make the key worthless."""
    call.cluster.tokens.revoke(call.key)
    return {}
