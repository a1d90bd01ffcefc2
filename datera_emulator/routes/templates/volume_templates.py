# SPDX-License-Identifier: Apache-2.0
"""Volume templates and the limits in them."""

from __future__ import annotations

from datera_emulator.api import render, template_render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import PERFORMANCE
from datera_emulator.api.template_schemas import VOLUME_TEMPLATE_CREATE, VOLUME_TEMPLATE_UPDATE
from datera_emulator.documents import Document
from datera_emulator.errors import Conflict, NotFound
from datera_emulator.routes.templates.app_templates import (
    own_template_of,
    storage_template_of,
    template_of,
)
from datera_emulator.rules.templates import new_volume_template
from datera_emulator.state.template_model import AppTemplate, StorageTemplate, VolumeTemplate

ROUTES = Router()

_COLLECTION = (
    "/app_templates/:app_template_name/storage_templates/:storage_template_name/volume_templates"
)
_ONE = f"{_COLLECTION}/:volume_template_name"
_POLICY = f"{_ONE}/performance_policy"

Place = tuple[AppTemplate, StorageTemplate, VolumeTemplate]


@ROUTES.route("GET", _COLLECTION, entity="volume_template")
def list_all(call: Call) -> Result:
    """List a storage template's volume templates."""
    template = template_of(call)
    storage = storage_template_of(call, template)
    return Listing(
        list(storage.volume_templates.values()),
        lambda one: template_render.volume_template(template, storage, one),
        identity=lambda one: one.name,
    )


@ROUTES.route("POST", _COLLECTION, entity="volume_template", body=VOLUME_TEMPLATE_CREATE)
def create(call: Call) -> Result:
    """Add a volume template."""
    template = own_template_of(call)
    storage = storage_template_of(call, template)
    if call.body["name"] in storage.volume_templates:
        raise Conflict(f"Volume template {call.body['name']} exists already")
    volume = new_volume_template(call, call.body)
    storage.volume_templates[volume.name] = volume
    return _kept(call, (template, storage, volume))


@ROUTES.route("GET", _ONE, entity="volume_template")
def show(call: Call) -> Result:
    """Show one volume template."""
    return template_render.volume_template(*volume_template_of(call, template_of(call)))


@ROUTES.route("PUT", _ONE, entity="volume_template", body=VOLUME_TEMPLATE_UPDATE)
def update(call: Call) -> Result:
    """Change a volume template."""
    place = volume_template_of(call, own_template_of(call))
    for name, value in call.body.items():
        setattr(place[2], name, value)
    return _kept(call, place)


@ROUTES.route("DELETE", _ONE, entity="volume_template")
def delete(call: Call) -> Result:
    """Remove a volume template."""
    place = volume_template_of(call, own_template_of(call))
    del place[1].volume_templates[place[2].name]
    return _kept(call, place)


@ROUTES.route("GET", _POLICY, entity="performance_policy")
def show_policy(call: Call) -> Result:
    """Show a volume template's limits."""
    return _policy(_with_policy(call, template_of(call)))


@ROUTES.route("POST", _POLICY, entity="performance_policy", body=PERFORMANCE)
def create_policy(call: Call) -> Result:
    """Give a volume template limits where it has none."""
    place = volume_template_of(call, own_template_of(call))
    if place[2].performance_policy is not None:
        raise Conflict("The volume template has a performance policy already")
    place[2].performance_policy = dict(call.body)
    call.cluster.save(place[0])
    return _policy(place)


@ROUTES.route("PUT", _POLICY, entity="performance_policy", body=PERFORMANCE)
def update_policy(call: Call) -> Result:
    """Change the limits that the body names."""
    place = _with_policy(call, own_template_of(call))
    place[2].performance_policy = {**(place[2].performance_policy or {}), **call.body}
    call.cluster.save(place[0])
    return _policy(place)


@ROUTES.route("DELETE", _POLICY, entity="performance_policy")
def delete_policy(call: Call) -> Result:
    """Lift a volume template's limits."""
    place = _with_policy(call, own_template_of(call))
    shown = _policy(place)
    place[2].performance_policy = None
    call.cluster.save(place[0])
    return shown


def volume_template_of(call: Call, template: AppTemplate) -> Place:
    """Return the volume template in the call's path.

    :raises NotFound: something on the way is not there.
    """
    storage = storage_template_of(call, template)
    name = call.arguments.get("volume_template_name") or call.arguments["vt_name"]
    if name not in storage.volume_templates:
        raise NotFound(f"No volume template {name} in storage template {storage.name}")
    return template, storage, storage.volume_templates[name]


def _with_policy(call: Call, template: AppTemplate) -> Place:
    place = volume_template_of(call, template)
    if place[2].performance_policy is None:
        raise NotFound("The volume template has no performance policy")
    return place


def _policy(place: Place) -> Document:
    path = template_render.volume_template_path(*place)
    return render.performance_policy(path, place[2].performance_policy or {})


def _kept(call: Call, place: Place) -> Document:
    call.cluster.save(place[0])
    return template_render.volume_template(*place)
