# SPDX-License-Identifier: Apache-2.0
"""Initiators and groups of them."""

from __future__ import annotations

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import (
    INITIATOR_NAME,
    LINK,
    NAME,
    PATH,
    closed,
    initiator_create,
    list_of,
)
from datera_emulator.errors import Conflict, NotFound, RequestInvalid
from datera_emulator.rules.acl import named_initiator, referenced_initiators
from datera_emulator.rules.admission import acl_changed
from datera_emulator.state.model import Initiator, InitiatorGroup
from datera_emulator.state.tenancy import ROOT, ancestors

ROUTES = Router()

_GROUP = "/initiator_groups/:name"


@ROUTES.route("GET", "/initiators", entity="initiator")
def list_all(call: Call) -> Result:
    """List the tenant's initiators and those of the tenants above."""
    places = (call.tenant, *ancestors(call.tenant))
    seen = [one for one in call.cluster.initiators.values() if one.tenant in places]
    return Listing(seen, render.initiator, identity=lambda one: (one.id, one.tenant))


@ROUTES.route("POST", "/initiators", entity="initiator", body=initiator_create)
def create(call: Call) -> Result:
    """Register an initiator with the tenant."""
    cluster, identity = call.cluster, call.cluster.initiator_id(call.body["id"])
    if (call.tenant, identity) in cluster.initiators:
        raise Conflict(f"Initiator {identity} exists already in tenant {call.tenant}")
    if len(cluster.initiators) >= cluster.switches.limits.initiators:
        raise RequestInvalid(f"The cluster holds {len(cluster.initiators)} initiators, its limit")
    first = not any(one.tenant == call.tenant for one in cluster.initiators.values())
    warned = (
        first
        and call.tenant != ROOT
        and call.dialect.initiator_force
        and cluster.switches.first_subtenant_initiator_needs_force
    )
    if warned and not call.body.get("force"):
        raise RequestInvalid(
            f"Tenant {call.tenant} has no initiators of its own and uses those above it; "
            "use force to override this warning"
        )
    initiator = Initiator(id=identity, tenant=call.tenant, name=call.body["name"])
    cluster.save(initiator)
    return render.initiator(initiator)


@ROUTES.route("GET", "/initiators/:id", entity="initiator")
def show(call: Call) -> Result:
    """Show one initiator."""
    return render.initiator(call.cluster.initiator(call.tenant, call.arguments["id"]))


@ROUTES.route("PUT", "/initiators/:id", entity="initiator", body=closed(name=INITIATOR_NAME))
def update(call: Call) -> Result:
    """Rename an initiator."""
    initiator = _own(call)
    initiator.name = call.body.get("name", initiator.name)
    call.cluster.save(initiator)
    return render.initiator(initiator)


@ROUTES.route("DELETE", "/initiators/:id", entity="initiator")
def delete(call: Call) -> Result:
    """Forget an initiator that no ACL and no group needs."""
    initiator = _own(call)
    users = [
        storage
        for instance in call.cluster.app_instances.values()
        if instance.tenant == call.tenant
        for storage in instance.storage_instances.values()
        if initiator.id in storage.initiators
    ]
    if users and not call.cluster.switches.initiator_in_use_deletable:
        raise Conflict(f"Initiator {initiator.id} is in {len(users)} ACLs")
    call.cluster.forget(initiator)
    return render.initiator(initiator)


@ROUTES.route("GET", "/initiator_groups", entity="initiator_group")
def list_groups(call: Call) -> Result:
    """List the tenant's groups."""
    own = [one for one in call.cluster.initiator_groups.values() if one.tenant == call.tenant]
    return Listing(own, render.initiator_group, identity=lambda one: one.name)


@ROUTES.route(
    "POST",
    "/initiator_groups",
    entity="initiator_group",
    body=closed(("name",), name=NAME, members=list_of(PATH)),
)
def create_group(call: Call) -> Result:
    """Make a group."""
    name = call.body["name"]
    if (call.tenant, name) in call.cluster.initiator_groups:
        raise Conflict(f"Initiator group {name} exists already in tenant {call.tenant}")
    members = referenced_initiators(call, call.body.get("members", []))
    group = InitiatorGroup(name=name, tenant=call.tenant, members=members)
    call.cluster.save(group)
    return render.initiator_group(group)


@ROUTES.route("GET", _GROUP, entity="initiator_group")
def show_group(call: Call) -> Result:
    """Show one group."""
    return render.initiator_group(_group(call))


@ROUTES.route("PUT", _GROUP, entity="initiator_group", body=closed(members=list_of(PATH)))
def update_group(call: Call) -> Result:
    """Replace a group's members."""
    group = _group(call)
    if "members" in call.body:
        group.members = referenced_initiators(call, call.body["members"])
    return _group_kept(call, group)


@ROUTES.route("DELETE", _GROUP, entity="initiator_group")
def delete_group(call: Call) -> Result:
    """Delete a group that no ACL needs."""
    group = _group(call)
    for instance in call.cluster.app_instances.values():
        for storage in instance.storage_instances.values():
            if instance.tenant == call.tenant and group.name in storage.initiator_groups:
                raise Conflict(f"Initiator group {group.name} is in the ACL of {instance.path}")
    call.cluster.forget(group)
    return render.initiator_group(group)


@ROUTES.route("GET", f"{_GROUP}/members", entity="initiator")
def list_members(call: Call) -> Result:
    """List a group's members."""
    references = render.paths("initiators", _group(call).members)
    return Listing(references, show=dict, identity=lambda one: one["path"])


@ROUTES.route("PUT", f"{_GROUP}/members", entity="initiator", body=LINK)
def link_member(call: Call) -> Result:
    """Add or remove one member."""
    group = _group(call)
    if call.body["op"] == "add":
        member = referenced_initiators(call, [call.body])[0]
        if member in group.members:
            raise Conflict(f"{member} is in group {group.name} already")
        group.members.append(member)
    else:
        member = named_initiator(call, call.body)
        if member not in group.members:
            raise NotFound(f"{member} is not in group {group.name}")
        group.members.remove(member)
    return _group_kept(call, group)


def _own(call: Call) -> Initiator:
    key = (call.tenant, call.cluster.initiator_id(call.arguments["id"]))
    if key not in call.cluster.initiators:
        raise NotFound(f"No initiator {key[1]} in tenant {call.tenant}")
    return call.cluster.initiators[key]


def _group(call: Call) -> InitiatorGroup:
    key = (call.tenant, call.arguments["name"])
    if key not in call.cluster.initiator_groups:
        raise NotFound(f"No initiator group {key[1]} in tenant {call.tenant}")
    return call.cluster.initiator_groups[key]


def _group_kept(call: Call, group: InitiatorGroup) -> Result:
    call.cluster.save(group)
    for instance in call.cluster.app_instances.values():
        for storage in instance.storage_instances.values():
            if group.name in storage.initiator_groups and instance.tenant == group.tenant:
                acl_changed(call.cluster, instance, storage)
    return render.initiator_group(group)
