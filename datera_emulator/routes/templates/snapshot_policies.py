# SPDX-License-Identifier: Apache-2.0
"""Snapshot policies of app instances, volumes, app templates and volume templates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import SNAPSHOT_POLICY, SNAPSHOT_POLICY_UPDATE
from datera_emulator.api.template_render import volume_template_path
from datera_emulator.errors import Conflict, NotFound
from datera_emulator.routes.templates.app_templates import own_template_of, template_of
from datera_emulator.routes.templates.volume_templates import volume_template_of
from datera_emulator.rules.lookup import app_instance_of, volume_of
from datera_emulator.rules.snapshot_policies import check_interval, checked_policies
from datera_emulator.state.model import SnapshotPolicy

ROUTES = Router()

# What is to be saved, the path of the policies' parent, and the policies themselves.
Holder = tuple[object, str, "dict[str, SnapshotPolicy]"]
Find = Callable[[Call], Holder]

_VOLUME = "/app_instances/:id/storage_instances/:storage_instance_name/volumes/:volume_name"
_VOLUME_TEMPLATE = (
    "/app_templates/:app_template_name/storage_templates/:storage_template_name"
    "/volume_templates/:volume_template_name"
)


def _of_instance(call: Call) -> Holder:
    instance = app_instance_of(call)
    return instance, instance.path, instance.snapshot_policies


def _of_volume(call: Call) -> Holder:
    place = volume_of(call)
    return place[0], render.volume_path(*place), place[2].snapshot_policies


def _of_template(call: Call) -> Holder:
    template = template_of(call) if call.method == "GET" else own_template_of(call)
    return template, template.path, template.snapshot_policies


def _of_volume_template(call: Call) -> Holder:
    template = template_of(call) if call.method == "GET" else own_template_of(call)
    place = volume_template_of(call, template)
    return template, volume_template_path(*place), place[2].snapshot_policies


def _serve(collection: str, one: str, find: Find) -> None:
    """Register the five routes of one parent's policies."""

    @ROUTES.route("GET", collection, entity="snapshot_policy")
    def list_all(call: Call) -> Result:
        """List the snapshot policies."""
        _, path, policies = find(call)
        return Listing(
            list(policies.values()),
            lambda one: render.snapshot_policy(path, one),
            identity=lambda one: one.name,
        )

    @ROUTES.route("POST", collection, entity="snapshot_policy", body=SNAPSHOT_POLICY)
    def create(call: Call) -> Result:
        """Add a snapshot policy."""
        holder, path, policies = find(call)
        if call.body["name"] in policies:
            raise Conflict(f"Snapshot policy {call.body['name']} exists already")
        policies.update(checked_policies([call.body]))
        call.cluster.save(holder)
        return render.snapshot_policy(path, policies[call.body["name"]])

    @ROUTES.route("GET", one, entity="snapshot_policy")
    def show(call: Call) -> Result:
        """Show one snapshot policy."""
        _, path, policies = find(call)
        return render.snapshot_policy(path, _policy(call, policies))

    @ROUTES.route("PUT", one, entity="snapshot_policy", body=SNAPSHOT_POLICY_UPDATE)
    def update(call: Call) -> Result:
        """Change a snapshot policy."""
        holder, path, policies = find(call)
        check_interval(call.body)
        changed = dataclasses.replace(_policy(call, policies), **call.body)
        policies[changed.name] = changed
        call.cluster.save(holder)
        return render.snapshot_policy(path, changed)

    @ROUTES.route("DELETE", one, entity="snapshot_policy")
    def delete(call: Call) -> Result:
        """Remove a snapshot policy."""
        holder, path, policies = find(call)
        policy = _policy(call, policies)
        del policies[policy.name]
        call.cluster.save(holder)
        return render.snapshot_policy(path, policy)


def _policy(call: Call, policies: dict[str, SnapshotPolicy]) -> SnapshotPolicy:
    name = call.arguments["snapshot_policy_name"]
    if name not in policies:
        raise NotFound(f"No snapshot policy {name}")
    return policies[name]


_serve(
    "/app_instances/:id/snapshot_policies",
    "/app_instances/:id/snapshot_policies/:snapshot_policy_name",
    _of_instance,
)
_serve(
    f"{_VOLUME}/snapshot_policies",
    f"{_VOLUME}/snapshot_policies/:snapshot_policy_name",
    _of_volume,
)
_serve(
    "/app_templates/:name/snapshot_policies",
    "/app_templates/:app_template_name/snapshot_policies/:snapshot_policy_name",
    _of_template,
)
_serve(
    f"{_VOLUME_TEMPLATE}/snapshot_policies",
    "/app_templates/:at_name/storage_templates/:st_name/volume_templates/:vt_name"
    "/snapshot_policies/:snapshot_policy_name",
    _of_volume_template,
)
