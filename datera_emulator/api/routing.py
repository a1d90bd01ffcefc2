# SPDX-License-Identifier: Apache-2.0
"""Routes: which handler serves which request, its arguments and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from datera_emulator.api.schemas import NOTHING, BodySchema
from datera_emulator.api.unserved import is_unserved
from datera_emulator.documents import Document, Json
from datera_emulator.errors import RouteInvalid
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.users import NOBODY, Caller
from datera_emulator.switches import Dialect

VERBS = {"GET": "read", "POST": "create", "PUT": "update", "DELETE": "delete"}


@dataclass(frozen=True)
class Call:
    """A validated request: the tenant exists, the key is valid, the body fits its schema."""

    cluster: Cluster
    dialect: Dialect
    tenant: str
    arguments: dict[str, str]
    body: Document
    key: str = field(default="", repr=False)
    method: str = "GET"
    caller: Caller = NOBODY
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """A collection that is to be filtered, ordered and paged.

    :param items: all of them.
    :param show: how one looks.
    :param identity: orders them where the client does not.
    :param read: called for each item that was shown.
    """

    items: Sequence[Any]
    show: Callable[[Any], Document]
    identity: Callable[[Any], Any]
    read: Callable[[Any], None] = lambda _item: None


@dataclass(frozen=True)
class Bare:
    """A reply without an envelope, or with one where the switches say so."""

    document: Document
    wrapped: bool = False


Result = Json | Listing | Bare
Handler = Callable[[Call], Result]


@dataclass(frozen=True)
class Route:
    """A method and a path template with the function behind it."""

    method: str
    template: str
    entity: str
    handler: Handler
    body: BodySchema
    needs_key: bool = True
    available: Callable[[Dialect], bool] = lambda _dialect: True


class Router:
    """The routes, found by walking a tree of path segments."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self._root: Document = {}

    def route(
        self,
        method: str,
        template: str,
        *,
        entity: str,
        body: BodySchema = NOTHING,
        needs_key: bool = True,
        available: Callable[[Dialect], bool] = lambda _dialect: True,
    ) -> Callable[[Handler], Handler]:
        """Register the decorated function.

        ``:name`` in a template stands for one segment; ``:name(…)`` at its end for all the rest.
        """

        def register(handler: Handler) -> Handler:
            self.add(Route(method, template, entity, handler, body, needs_key, available))
            return handler

        return register

    def include(self, other: Router) -> None:
        """Take over another router's routes."""
        for route in other.routes:
            self.add(route)

    def add(self, route: Route) -> None:
        """Add one route."""
        self.routes.append(route)
        node = self._root
        for segment in _template_segments(route.template):
            if segment.startswith(":"):
                kind = "*" if "(" in segment else ":"
                node = node.setdefault(kind, {})
            else:
                node = node.setdefault(segment, {})
        node.setdefault("/", {})[route.method] = route

    def find(self, method: str, path: str, dialect: Dialect) -> tuple[Route, dict[str, str]]:
        """Return the route of a request and the arguments in its path.

        :raises RouteInvalid: unknown path (404), or the path does not allow this method (405).
        """
        segments = [unquote(part) for part in path.split("/") if part]
        node: Document | None = self._root
        values: list[str] = []
        for position, segment in enumerate(segments):
            if node is None:
                break
            if segment in node and segment != "/":
                node = node[segment]
            elif ":" in node:
                values.append(segment)
                node = node[":"]
            elif "*" in node:
                values.append("/".join(segments[position:]))
                node = node["*"]
                break
            else:
                node = None
        routes = {
            name: route
            for name, route in (node or {}).get("/", {}).items()
            if route.available(dialect)
        }
        if not routes and is_unserved(path):
            raise RouteInvalid(f"This emulator does not serve {path}; an array does")
        if not routes:
            raise RouteInvalid(f"Invalid route: {path}")
        if method not in routes:
            raise RouteInvalid(f"{method} is not allowed on {path}", status=405)
        route = routes[method]
        names = [
            segment[1:].partition("(")[0]
            for segment in _template_segments(route.template)
            if segment.startswith(":")
        ]
        return route, dict(zip(names, values, strict=True))


def _template_segments(template: str) -> list[str]:
    head, parenthesis, rest = template.partition("(")
    segments = [part for part in head.split("/") if part]
    if parenthesis:
        segments[-1] += parenthesis + rest
    return segments
