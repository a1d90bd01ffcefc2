# SPDX-License-Identifier: Apache-2.0
"""A flat dictionary that clients keep beside an app instance."""

from __future__ import annotations

import json

from datera_emulator.api.routing import Call, Result, Router
from datera_emulator.api.schemas import Schema, closed
from datera_emulator.documents import Document
from datera_emulator.errors import RequestInvalid
from datera_emulator.rules.lookup import app_instance_of

ROUTES = Router()

_OLD = "/app_instances/:id/metadata"
_NEW = "/app_instances/:id/int_ecosystem_data"
_FLAT: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
}
_WRAPPED = closed(("data",), data=_FLAT)


@ROUTES.route("GET", _OLD, entity="metadata", available=lambda dialect: not dialect.ecosystem_data)
def show_old(call: Call) -> Result:
    """Show the metadata, before product 3.3."""
    return dict(app_instance_of(call).metadata)


@ROUTES.route(
    "PUT",
    _OLD,
    entity="metadata",
    body=_FLAT,
    available=lambda dialect: not dialect.ecosystem_data,
)
def update_old(call: Call) -> Result:
    """Merge keys into the metadata, before product 3.3."""
    return _merged(call, call.body)


@ROUTES.route("GET", _NEW, entity="metadata", available=lambda dialect: dialect.ecosystem_data)
def show_new(call: Call) -> Result:
    """Show the metadata."""
    metadata = dict(app_instance_of(call).metadata)
    return {"data": metadata} if call.cluster.switches.ecosystem_data_wrapped else metadata


@ROUTES.route(
    "PUT",
    _NEW,
    entity="metadata",
    body=_WRAPPED,
    available=lambda dialect: dialect.ecosystem_data,
)
def update_new(call: Call) -> Result:
    """Merge keys into the metadata; here the body wraps them in ``data``."""
    return _merged(call, call.body["data"])


def _merged(call: Call, keys: Document) -> Result:
    instance = app_instance_of(call)
    merged = {**instance.metadata, **keys} if call.cluster.switches.metadata_merges else keys
    limit = call.cluster.switches.limits.metadata_characters
    if len(json.dumps(merged)) > limit:
        raise RequestInvalid(f"Metadata hold no more than {limit} characters")
    instance.metadata = merged
    call.cluster.save(instance)
    return dict(merged)
