# SPDX-License-Identifier: Apache-2.0
"""``/api``: the API in its own words, in the shape that clients read it in.

Only what is served is described. Two things are there for the published SDK alone: it needs the
metrics' names to read the description at all, and the word ``metadata`` to offer metadata.
"""

from __future__ import annotations

from typing import Any

from datera_emulator.documents import Document
from datera_emulator.routing import VERBS, Bare, Call, Result, Router
from datera_emulator.schemas import schema_for

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
                "descr": route.handler.__doc__,
                "entity": route.entity,
                "minVersion": "1.0.0.0",
                "urlParamSchema": {},
                "bodyParamSchema": _LIST_QUERY if verb == "read" else body,
                "returnParamSchema": {"type": "object"},
            }
        for template, names in _METRICS.items():
            schema = {"metric": {"type": "string", "enum": names}}
            paths[template] = {"read": {"op": "read", "urlParamSchema": schema}}
        document = {**paths, "version": call.dialect.api, "request_time": 0}
        return Bare(document, wrapped=call.dialect.pages and call.cluster.switches.wrapped_api)

    return own
