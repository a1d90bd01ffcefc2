# SPDX-License-Identifier: Apache-2.0
"""What is around an entity in a reply, and what is in the body of a refusal."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import Any

from datera_emulator.api.query import Page, Query
from datera_emulator.api.render import HIDDEN
from datera_emulator.api.routing import VERBS, Bare, Listing
from datera_emulator.documents import Document, Json
from datera_emulator.errors import ApiError
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.model import AppInstance
from datera_emulator.switches import Dialect

# What of an app instance is shown as it is kept.
_PLAIN = {"name", "id", "descr", "admin_state", "create_mode", "uuid", "tenant"}
SECRET_KEYS = {"password", "target_pswd", "initiator_pswd", "key"}


def reply(
    cluster: Cluster,
    dialect: Dialect,
    tenant: str,
    path: str,
    result: Json | Listing | Bare,
    *,
    parameters: Mapping[str, str],
) -> Document:
    """Return the whole body of a reply.

    :raises ValidationFailed: the result is a list and the parameters ask for what cannot be.
    """
    body: Document = {"tenant": tenant, "path": path, "version": dialect.api}
    if isinstance(result, Bare):
        return {**body, "data": result.document} if result.wrapped else result.document
    if isinstance(result, Listing):
        page = _page(cluster, dialect, parameters, result)
        body["data"] = [result.show(item) for item in page.items]
        body["metadata"] = _list_metadata(cluster, dialect, page)
        for item in page.items:
            result.read(item)
    else:
        body["data"] = result
    return body


def refusal(
    error: ApiError, *, method: str, path: str, version: str, tenant: str, body: Json, client: str
) -> Document:
    """Return the body of an error."""
    return {
        "name": error.name,
        "code": error.code,
        "http": error.status,
        "message": error.message,
        "errors": list(error.details),
        "ts": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "version": version,
        "op": VERBS.get(method, method.lower()),
        "tenant": tenant,
        "path": path,
        "params": masked(body),
        "connInfo": {"remote": client},
        "client_id": client,
        "client_type": "rest",
        "api_req_id": str(uuid.uuid4()),
        "tenancy_class": "user",
    }


def masked(body: Json) -> Json:
    """Return a copy of a body in which no secret is left."""
    if isinstance(body, dict):
        return {key: HIDDEN if key in SECRET_KEYS else masked(body[key]) for key in body}
    if isinstance(body, list):
        return [masked(item) for item in body]
    return body


def _page(
    cluster: Cluster, dialect: Dialect, parameters: Mapping[str, str], result: Listing
) -> Page[Any]:
    switches = cluster.switches

    def attribute(item: Any, key: str) -> Any:
        if key in _PLAIN and isinstance(item, AppInstance):
            return getattr(item, key)  # showing each of ten thousand would take seconds
        return result.show(item)[key]

    items = result.items
    if switches.list_order == "id":
        items = sorted(items, key=result.identity)
    query = Query.read(parameters, pages=dialect.pages)
    return query.apply(
        items,
        attribute,
        largest_page=switches.largest_page if dialect.pages else None,
        search=switches.match == "search",
    )


def _list_metadata(cluster: Cluster, dialect: Dialect, page: Page[Any]) -> Document:
    total = page.filtered if dialect.counts_filtered else page.total
    if not dialect.pages:
        return {"total": total}
    metadata = {
        "total_count": total,
        "request_count": len(page.items),
        "limit": page.limit,
        "offset": page.offset,
    }
    if not cluster.switches.list_metadata_has_limit:
        del metadata["limit"]
    return metadata
