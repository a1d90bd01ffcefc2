# SPDX-License-Identifier: Apache-2.0
"""``/api``: the API's description of itself, in the shape that clients read.

Only what is served is described. Two things are there for the published SDK alone: it needs the
metrics' names to read the description at all, and the word ``metadata`` to offer metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datera_emulator.api.groups import GROUPS, group_of
from datera_emulator.api.routing import VERBS, Bare, Call, Result, Router
from datera_emulator.api.schemas import schema_for
from datera_emulator.documents import Document
from datera_emulator.errors import ValidationFailed

_METRICS = {
    "/metrics/io/:metric": ["reads", "writes", "read_throughput", "write_throughput"],
    "/metrics/hw/:metric": ["cpu_usage"],
}
_LIST_QUERY: Document = {
    "type": "object",
    "properties": {
        "filter": {"type": "string", "pattern": r"^\S*$", "example": "name=foo"},
        "limit": {"type": "integer", "minimum": 0, "maximum": 1000},
        "sort": {"type": "string", "pattern": r"^\S*$"},
    },
}


def routes_describing(router: Router) -> Router:
    """Return a router with ``/api``, which describes the given one."""
    own = Router()

    @own.route("GET", "/api", entity="api")
    def describe(call: Call) -> Result:
        """Describe the API in the caller's dialect; no envelope, as recorded."""
        paths: dict[str, Any] = {"/app_instances/:id/metadata": {}, "/api": {"read": {}}}
        for route in router.routes:
            if not route.available(call.dialect):
                continue
            verb = VERBS[route.method]
            body = schema_for(route.body, call.dialect)
            paths.setdefault(route.template, {})[verb] = {
                "op": verb,
                "path": route.template,
                "group": group_of(route.template, verb),
                "descr": route.handler.__doc__,
                "entity": route.entity,
                "minVersion": "1.0.0.0",
                "urlParamSchema": {},
                "bodyParamSchema": _LIST_QUERY if verb == "read" else body,
                "returnParamSchema": {"type": "object"},
            }
        for template, names in _METRICS.items():
            schema = {"metric": {"type": "string", "enum": names}}
            group = group_of(template, "read")
            paths[template] = {"read": {"op": "read", "group": group, "urlParamSchema": schema}}
        document = {
            **_grouped(paths, call.parameters),
            "version": call.dialect.api,
            "request_time": 0,
        }
        return Bare(document, wrapped=call.dialect.pages and call.cluster.switches.wrapped_api)

    return own


def _grouped(paths: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    """Return the paths as ``group_by`` and ``group_filter`` ask for them.

    :raises ValidationFailed: there is no such order, or no such group.
    """
    order, wanted = query.get("group_by", "route"), query.get("group_filter")
    if order not in ("group", "route"):
        raise ValidationFailed("group_by: must be group or route")
    if wanted is not None:
        if wanted not in GROUPS:
            raise ValidationFailed(f"group_filter: there is no group {wanted!r}")
        paths = _of_group(paths, wanted)
    if order == "route":
        return paths
    found = {name: _of_group(paths, name) for name in GROUPS}
    return {name: inside for name, inside in found.items() if inside}


def _of_group(paths: dict[str, Any], group: str) -> dict[str, Any]:
    found = {}
    for template, verbs in paths.items():
        inside = {verb: one for verb, one in verbs.items() if one.get("group") == group}
        if inside:
            found[template] = inside
    return found
