# SPDX-License-Identifier: Apache-2.0
"""The API's paths, one module for each kind of thing."""

from datera_emulator.routes import (
    acl,
    app_instances,
    app_templates,
    auth,
    description,
    initiators,
    ip_pools,
    metadata,
    performance,
    placement,
    session,
    snapshot_policies,
    snapshots,
    storage_instances,
    system,
    tenants,
    users,
    volume_templates,
    volumes,
)
from datera_emulator.routing import Router

_PARTS = (
    session,
    system,
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
