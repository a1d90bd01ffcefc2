# SPDX-License-Identifier: Apache-2.0
"""The kinds of things that a cluster keeps: in which table, under which key, and how read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datera_emulator.documents import Document
from datera_emulator.state.model import (
    Initiator,
    InitiatorGroup,
    IpPool,
    PlacementPolicy,
    StorageNode,
    Tenant,
    app_instance_from,
)
from datera_emulator.state.template_model import app_template_from
from datera_emulator.state.users import User


@dataclass(frozen=True)
class Kind:
    """One kind. ``table`` is the cluster's attribute; ``key`` gives a thing's key in it."""

    table: str
    key: Callable[[Any], Any]
    make: Callable[[Document], object]

    def identity(self, thing: object) -> str:
        """Return a thing's key as one text, for the store."""
        key = self.key(thing)
        return key if isinstance(key, str) else " ".join(key)


KINDS: dict[str, Kind] = {
    "AppInstance": Kind("app_instances", lambda one: one.id, app_instance_from),
    "AppTemplate": Kind("app_templates", lambda one: (one.tenant, one.name), app_template_from),
    "Initiator": Kind("initiators", lambda one: (one.tenant, one.id), lambda d: Initiator(**d)),
    "InitiatorGroup": Kind(
        "initiator_groups", lambda one: (one.tenant, one.name), lambda d: InitiatorGroup(**d)
    ),
    "IpPool": Kind("ip_pools", lambda one: one.name, lambda d: IpPool(**d)),
    "PlacementPolicy": Kind(
        "placement_policies", lambda one: one.name, lambda d: PlacementPolicy(**d)
    ),
    "StorageNode": Kind("storage_nodes", lambda one: one.uuid, lambda d: StorageNode(**d)),
    "Tenant": Kind("tenants", lambda one: one.path, lambda d: Tenant(**d)),
    "User": Kind("users", lambda one: one.user_id, lambda d: User(**d)),
}


def kind_name(thing: object) -> str:
    """Return under which name a thing's kind is known.

    :raises TypeError: a cluster does not keep such things.
    """
    name = type(thing).__name__
    if name not in KINDS:
        raise TypeError(f"a cluster does not keep a {name}")
    return name
