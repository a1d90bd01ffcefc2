# SPDX-License-Identifier: Apache-2.0
"""IP pools: kept and referred to; the portals' addresses do not come from them."""

from __future__ import annotations

from datera_emulator import render
from datera_emulator.errors import Conflict, NotFound, RequestInvalid
from datera_emulator.model import IpPool
from datera_emulator.routing import Call, Listing, Result, Router
from datera_emulator.schemas import DESCRIPTION, NAME, NETWORK_PATH, closed, list_of

ROUTES = Router()

_ONE = "/access_network_ip_pools/:pool_name"


@ROUTES.route("GET", "/access_network_ip_pools", entity="access_network_ip_pool")
def list_all(call: Call) -> Result:
    """List the pools."""
    pools = list(call.cluster.ip_pools.values())
    return Listing(pools, render.ip_pool, identity=lambda one: one.name)


@ROUTES.route(
    "POST",
    "/access_network_ip_pools",
    entity="access_network_ip_pool",
    body=closed(("name",), name=NAME, descr=DESCRIPTION, network_paths=list_of(NETWORK_PATH)),
)
def create(call: Call) -> Result:
    """Make a pool."""
    name = call.body["name"]
    if name in call.cluster.ip_pools:
        raise Conflict(f"IP pool {name} exists already")
    descr = call.body.get("descr") or ""
    pool = IpPool(name=name, network_paths=call.body.get("network_paths", []), descr=descr)
    call.cluster.save(pool)
    return render.ip_pool(pool)


@ROUTES.route("GET", _ONE, entity="access_network_ip_pool")
def show(call: Call) -> Result:
    """Show one pool."""
    return render.ip_pool(_pool(call))


@ROUTES.route("DELETE", _ONE, entity="access_network_ip_pool")
def delete(call: Call) -> Result:
    """Delete a pool that no storage instance uses."""
    pool = _pool(call)
    used = any(
        storage.ip_pool == pool.name
        for instance in call.cluster.app_instances.values()
        for storage in instance.storage_instances.values()
    )
    if used or pool.name == "default":
        raise RequestInvalid(f"IP pool {pool.name} is in use")
    call.cluster.forget(pool)
    return render.ip_pool(pool)


def _pool(call: Call) -> IpPool:
    name = call.arguments["pool_name"]
    if name not in call.cluster.ip_pools:
        raise NotFound(f"No IP pool {name}")
    return call.cluster.ip_pools[name]
