# SPDX-License-Identifier: Apache-2.0
"""Rules for the entries of an ACL."""

from __future__ import annotations

from collections.abc import Sequence

from datera_emulator.api.routing import Call
from datera_emulator.documents import Document
from datera_emulator.errors import NotFound, RequestInvalid
from datera_emulator.rules.lookup import name_at


def referenced_initiators(call: Call, references: Sequence[Document]) -> list[str]:
    """Return the ids that references lead to, each once.

    :raises NotFound: an initiator is not registered.
    :raises RequestInvalid: it belongs to a tenant above, and such are not usable.
    """
    names = []
    for reference in references:
        identity = name_at(reference["path"], "initiators")
        found = call.cluster.initiator(call.tenant, identity)
        identity, owner = found.id, found.tenant
        if owner != call.tenant and not call.cluster.switches.parent_initiators_usable:
            raise RequestInvalid(f"Initiator {identity} belongs to {owner}, not to {call.tenant}")
        if identity not in names:
            names.append(identity)
    return names


def named_initiator(call: Call, reference: Document) -> str:
    """Return the id that a reference leads to, whether or not such an initiator is registered.

    :raises NotFound: it leads elsewhere.
    """
    return call.cluster.initiator_id(name_at(reference["path"], "initiators"))


def referenced_groups(call: Call, references: Sequence[Document]) -> list[str]:
    """Return the names of the groups that references lead to, each once.

    :raises NotFound: a group does not exist.
    """
    names = []
    for reference in references:
        name = name_at(reference["path"], "initiator_groups")
        if (call.tenant, name) not in call.cluster.initiator_groups:
            raise NotFound(f"No initiator group {name} in tenant {call.tenant}")
        if name not in names:
            names.append(name)
    return names
