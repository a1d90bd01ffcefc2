# SPDX-License-Identifier: Apache-2.0
"""The ACL of a storage instance: replaced as a whole, or changed one entry at a time."""

from __future__ import annotations

from collections.abc import Sequence

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import ACL, LINK
from datera_emulator.errors import Conflict, NotFound
from datera_emulator.rules.acl import named_initiator, referenced_groups, referenced_initiators
from datera_emulator.rules.admission import acl_changed
from datera_emulator.rules.lookup import name_at, storage_instance_of

ROUTES = Router()

_ONE = "/app_instances/:id/storage_instances/:storage_instance_name/acl_policy"
_INITIATORS = f"{_ONE}/initiators"
_GROUPS = f"{_ONE}/initiator_groups"


@ROUTES.route("GET", _ONE, entity="acl_policy")
def show(call: Call) -> Result:
    """Show the ACL."""
    return render.acl_policy(*storage_instance_of(call))


@ROUTES.route("PUT", _ONE, entity="acl_policy", body=ACL)
def replace(call: Call) -> Result:
    """Replace the lists that the body has."""
    _, storage = storage_instance_of(call)
    changed = dict(call.body)
    if "initiators" in changed:
        changed["initiators"] = referenced_initiators(call, changed["initiators"])
    if "initiator_groups" in changed:
        changed["initiator_groups"] = referenced_groups(call, changed["initiator_groups"])
    storage.initiators = changed.get("initiators", storage.initiators)
    storage.initiator_groups = changed.get("initiator_groups", storage.initiator_groups)
    return _kept(call)


@ROUTES.route("GET", _INITIATORS, entity="initiator")
def list_initiators(call: Call) -> Result:
    """List the initiators in the ACL."""
    _, storage = storage_instance_of(call)
    return _listing("initiators", storage.initiators)


@ROUTES.route("PUT", _INITIATORS, entity="initiator", body=LINK)
def link_initiator(call: Call) -> Result:
    """Add or remove one initiator, whatever else changes at the same time."""
    _, storage = storage_instance_of(call)
    if call.body["op"] == "add":
        _add(storage.initiators, referenced_initiators(call, [call.body])[0])
    else:
        _remove(storage.initiators, named_initiator(call, call.body))
    return _kept(call)


@ROUTES.route("GET", _GROUPS, entity="initiator_group")
def list_groups(call: Call) -> Result:
    """List the groups in the ACL."""
    _, storage = storage_instance_of(call)
    return _listing("initiator_groups", storage.initiator_groups)


@ROUTES.route("PUT", _GROUPS, entity="initiator_group", body=LINK)
def link_group(call: Call) -> Result:
    """Add or remove one group."""
    _, storage = storage_instance_of(call)
    if call.body["op"] == "add":
        _add(storage.initiator_groups, referenced_groups(call, [call.body])[0])
    else:
        _remove(storage.initiator_groups, name_at(call.body["path"], "initiator_groups"))
    return _kept(call)


def _add(names: list[str], name: str) -> None:
    if name in names:
        raise Conflict(f"{name} is in the list already")
    names.append(name)


def _remove(names: list[str], name: str) -> None:
    if name not in names:
        raise NotFound(f"{name} is not in the list")
    names.remove(name)


def _kept(call: Call) -> Result:
    instance, storage = storage_instance_of(call)
    acl_changed(call.cluster, instance, storage)
    call.cluster.save(instance)
    return render.acl_policy(instance, storage)


def _listing(collection: str, names: Sequence[str]) -> Listing:
    references = render.paths(collection, names)
    return Listing(references, show=dict, identity=lambda one: one["path"])
