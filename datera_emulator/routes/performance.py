# SPDX-License-Identifier: Apache-2.0
"""A volume's limits: a thing by itself, absent until it is created."""

from __future__ import annotations

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Result, Router
from datera_emulator.api.schemas import PERFORMANCE
from datera_emulator.errors import Conflict, NotFound
from datera_emulator.rules.lookup import Place, volume_of

ROUTES = Router()

_ONE = (
    "/app_instances/:id/storage_instances/:storage_instance_name"
    "/volumes/:volume_name/performance_policy"
)


@ROUTES.route("GET", _ONE, entity="performance_policy")
def show(call: Call) -> Result:
    """Show the limits."""
    return _shown(_with_policy(call))


@ROUTES.route("POST", _ONE, entity="performance_policy", body=PERFORMANCE)
def create(call: Call) -> Result:
    """Set limits where there are none."""
    place = volume_of(call)
    if place[2].performance_policy is not None:
        raise Conflict("The volume has a performance policy already")
    place[2].performance_policy = dict(call.body)
    call.cluster.save(place[0])
    return _shown(place)


@ROUTES.route("PUT", _ONE, entity="performance_policy", body=PERFORMANCE)
def update(call: Call) -> Result:
    """Change the limits that the body names."""
    place = _with_policy(call)
    place[2].performance_policy = {**(place[2].performance_policy or {}), **call.body}
    call.cluster.save(place[0])
    return _shown(place)


@ROUTES.route("DELETE", _ONE, entity="performance_policy")
def delete(call: Call) -> Result:
    """Lift all limits."""
    place = _with_policy(call)
    shown = _shown(place)
    place[2].performance_policy = None
    call.cluster.save(place[0])
    return shown


def _with_policy(call: Call) -> Place:
    place = volume_of(call)
    if place[2].performance_policy is None:
        raise NotFound("The volume has no performance policy")
    return place


def _shown(place: Place) -> Result:
    return render.performance_policy(render.volume_path(*place), place[2].performance_policy or {})
