# SPDX-License-Identifier: Apache-2.0
"""The API's paths, one module for each kind of thing."""

from datera_emulator.api.routing import Router
from datera_emulator.routes import (
    acl,
    app_instances,
    auth,
    metadata,
    performance,
    snapshots,
    storage_instances,
    volumes,
)
from datera_emulator.routes.system import (
    description,
    initiators,
    ip_pools,
    placement,
    session,
    storage_nodes,
    system,
    tenants,
    users,
)
from datera_emulator.routes.templates import app_templates, snapshot_policies, volume_templates

_PARTS = (
    session,
    system,
    storage_nodes,
    app_instances,
    storage_instances,
    auth,
    acl,
    volumes,
    performance,
    snapshots,
    app_templates,
    volume_templates,
    snapshot_policies,
    metadata,
    initiators,
    ip_pools,
    placement,
    tenants,
    users,
)


def router() -> Router:
    """Return a router with all paths, ``/api`` that describes them included."""
    whole = Router()
    for part in _PARTS:
        whole.include(part.ROUTES)
    whole.include(description.routes_describing(whole))
    return whole
