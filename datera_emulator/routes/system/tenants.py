# SPDX-License-Identifier: Apache-2.0
"""Tenants, addressed by their path in any spelling."""

from __future__ import annotations

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import DESCRIPTION, NAME_OR_UUID, STRING, closed
from datera_emulator.errors import Conflict, PermissionDenied, RequestInvalid, ValidationFailed
from datera_emulator.state.model import Tenant
from datera_emulator.state.tenancy import ROOT, canonical

ROUTES = Router()

_ONE = "/tenants/:tenant_path(((?:[A-Za-z0-9_-])+(?:/[.A-Za-z0-9_-]+){0,}$))"


@ROUTES.route("GET", "/tenants", entity="tenant")
def list_all(call: Call) -> Result:
    """List the tenants."""
    tenants = [one for one in call.cluster.tenants.values() if call.caller.reaches(one.path)]
    return Listing(
        tenants, lambda one: render.tenant(call.cluster, one), identity=lambda one: one.path
    )


@ROUTES.route(
    "POST",
    "/tenants",
    entity="tenant",
    body=closed(("name",), name=NAME_OR_UUID, descr=DESCRIPTION, parent_path=STRING),
)
def create(call: Call) -> Result:
    """Make a tenant below another."""
    cluster = call.cluster
    above = canonical(call.body.get("parent_path", ROOT))
    if not call.caller.reaches(above):
        raise ValidationFailed(f"parent_path: {above} is not below a tenant of the user")
    parent = cluster.tenant(above)
    path = f"{parent.path}/{call.body['name']}"
    if path in cluster.tenants:
        raise Conflict(f"Tenant {path} exists already")
    if len(cluster.tenants) >= cluster.switches.limits.tenants:
        raise RequestInvalid(f"The cluster holds {len(cluster.tenants)} tenants, its limit")
    tenant = Tenant(path=path, descr=call.body.get("descr") or "")
    cluster.save(tenant)
    return render.tenant(cluster, tenant)


@ROUTES.route("GET", _ONE, entity="tenant")
def show(call: Call) -> Result:
    """Show one tenant."""
    return render.tenant(call.cluster, _tenant(call))


@ROUTES.route("PUT", _ONE, entity="tenant", body=closed(descr=DESCRIPTION))
def update(call: Call) -> Result:
    """Describe a tenant."""
    tenant = _tenant(call)
    tenant.descr = call.body.get("descr") or tenant.descr
    call.cluster.save(tenant)
    return render.tenant(call.cluster, tenant)


@ROUTES.route("DELETE", _ONE, entity="tenant")
def delete(call: Call) -> Result:
    """Delete a tenant that holds nothing."""
    cluster, tenant = call.cluster, _tenant(call)
    owners = [
        *(one.tenant for one in cluster.app_instances.values()),
        *(one.tenant for one in cluster.initiators.values()),
        *(one.tenant for one in cluster.initiator_groups.values()),
        *(one.tenant for one in cluster.app_templates.values()),
        *(path for one in cluster.users.values() for path in one.tenants),
    ]
    below = any(path.startswith(f"{tenant.path}/") for path in cluster.tenants)
    if tenant.path == ROOT or below or tenant.path in owners:
        raise RequestInvalid(f"Tenant {tenant.path} is in use")
    shown = render.tenant(cluster, tenant)
    cluster.forget(tenant)
    return shown


def _tenant(call: Call) -> Tenant:
    path = canonical(call.arguments["tenant_path"])
    if not call.caller.reaches(path):
        status = int(call.cluster.switches.permission_status)
        raise PermissionDenied(f"Tenant {path} is not below a tenant of the user", status=status)
    return call.cluster.tenant(path)
