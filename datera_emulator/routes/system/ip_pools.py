# SPDX-License-Identifier: Apache-2.0
"""IP pools: kept and referred to; the portals' addresses do not come from them."""

from __future__ import annotations

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import (
    DESCRIPTION,
    NAME,
    NETWORK_PATH,
    NETWORK_PATH_PROPERTIES,
    closed,
    list_of,
)
from datera_emulator.documents import Document
from datera_emulator.errors import Conflict, NotFound, RequestInvalid
from datera_emulator.state.model import IpPool

ROUTES = Router()

_ONE = "/access_network_ip_pools/:pool_name"
_PATHS = f"{_ONE}/network_paths"
_PATH = f"{_PATHS}/:path_name"


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


@ROUTES.route(
    "PUT",
    _ONE,
    entity="access_network_ip_pool",
    body=closed(descr=DESCRIPTION, network_paths=list_of(NETWORK_PATH)),
)
def update(call: Call) -> Result:
    """Describe a pool, or replace its paths."""
    pool = _pool(call)
    pool.descr = call.body.get("descr") or pool.descr
    pool.network_paths = call.body.get("network_paths", pool.network_paths)
    call.cluster.save(pool)
    return render.ip_pool(pool)


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


@ROUTES.route("GET", _PATHS, entity="network_path")
def list_paths(call: Call) -> Result:
    """List a pool's paths."""
    paths = render.ip_pool(_pool(call))["network_paths"]
    return Listing(paths, show=dict, identity=lambda one: one["path"])


@ROUTES.route("GET", _PATH, entity="network_path")
def show_path(call: Call) -> Result:
    """Show one of a pool's paths."""
    return _path(call)[1]


@ROUTES.route("PUT", _PATH, entity="network_path", body=closed((), **NETWORK_PATH_PROPERTIES))
def update_path(call: Call) -> Result:
    """Change one of a pool's paths."""
    number, _ = _path(call)
    pool = _pool(call)
    pool.network_paths[number] = {**pool.network_paths[number], **call.body}
    call.cluster.save(pool)
    return _path(call)[1]


def _path(call: Call) -> tuple[int, Document]:
    """Return where in its pool's list a path stands, and how it looks."""
    wanted = call.arguments["path_name"]
    for number, shown in enumerate(render.ip_pool(_pool(call))["network_paths"]):
        if shown["path"].rpartition("/")[2] == wanted:
            return number, shown
    raise NotFound(f"No network path {wanted}")


def _pool(call: Call) -> IpPool:
    name = call.arguments["pool_name"]
    if name not in call.cluster.ip_pools:
        raise NotFound(f"No IP pool {name}")
    return call.cluster.ip_pools[name]
