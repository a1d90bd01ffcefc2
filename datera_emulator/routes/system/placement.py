# SPDX-License-Identifier: Apache-2.0
"""Placement policies, from product 3.3 on: kept and referred to, without effect."""

from __future__ import annotations

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import MEDIA_POLICY, NAME, STRING, closed, list_of
from datera_emulator.errors import Conflict, NotFound, RequestInvalid
from datera_emulator.state.model import PlacementPolicy
from datera_emulator.switches import Dialect

ROUTES = Router()

_COLLECTION = "/placement_policies"
_ONE = f"{_COLLECTION}/:placement_policy_name"


def _there(dialect: Dialect) -> bool:
    return dialect.placement_policies


@ROUTES.route("GET", _COLLECTION, entity="placement_policy", available=_there)
def list_all(call: Call) -> Result:
    """List the policies."""
    policies = list(call.cluster.placement_policies.values())
    return Listing(policies, render.placement_policy, identity=lambda one: one.name)


@ROUTES.route(
    "POST",
    _COLLECTION,
    entity="placement_policy",
    body=closed(
        ("name",), name=NAME, descr=STRING, max=list_of(MEDIA_POLICY), min=list_of(MEDIA_POLICY)
    ),
    available=_there,
)
def create(call: Call) -> Result:
    """Make a policy."""
    if call.body["name"] in call.cluster.placement_policies:
        raise Conflict(f"Placement policy {call.body['name']} exists already")
    policy = PlacementPolicy(**call.body)
    call.cluster.save(policy)
    return render.placement_policy(policy)


@ROUTES.route("GET", _ONE, entity="placement_policy", available=_there)
def show(call: Call) -> Result:
    """Show one policy."""
    return render.placement_policy(_policy(call))


@ROUTES.route("DELETE", _ONE, entity="placement_policy", available=_there)
def delete(call: Call) -> Result:
    """Delete a policy that no volume uses."""
    policy = _policy(call)
    used = any(volume.placement_policy == policy.name for volume in call.cluster.volumes())
    if used or policy.name == "default":
        raise RequestInvalid(f"Placement policy {policy.name} is in use")
    call.cluster.forget(policy)
    return render.placement_policy(policy)


def _policy(call: Call) -> PlacementPolicy:
    name = call.arguments["placement_policy_name"]
    if name not in call.cluster.placement_policies:
        raise NotFound(f"No placement policy {name}")
    return call.cluster.placement_policies[name]
