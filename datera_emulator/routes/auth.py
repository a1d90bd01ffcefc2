# SPDX-License-Identifier: Apache-2.0
"""CHAP credentials of a storage instance."""

from __future__ import annotations

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Result, Router
from datera_emulator.api.schemas import AUTH
from datera_emulator.rules.credentials import checked_auth
from datera_emulator.rules.lookup import storage_instance_of

ROUTES = Router()

_ONE = "/app_instances/:id/storage_instances/:storage_instance_name/auth"


@ROUTES.route("GET", _ONE, entity="auth")
def show(call: Call) -> Result:
    """Show who may log in; secrets read back as "(hidden)"."""
    instance, storage = storage_instance_of(call)
    return render.auth(render.storage_path(instance, storage), storage.auth)


@ROUTES.route("PUT", _ONE, entity="auth", body=AUTH)
def update(call: Call) -> Result:
    """Change who may log in; sessions that are open stay."""
    instance, storage = storage_instance_of(call)
    storage.auth = checked_auth(call.body, storage.auth)
    call.cluster.save(instance)
    return render.auth(render.storage_path(instance, storage), storage.auth)
