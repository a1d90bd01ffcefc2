# SPDX-License-Identifier: Apache-2.0
"""Which backend a backup goes to: a pure function of what the user and the operator wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

PROPERTY = "backup_backend"
"""The property of a backup that names its backend: users choose by it, the dispatcher sets it."""

EXTRA_SPEC = "backup:backend"
"""The extra spec of a volume type that names the backend of its volumes' backups.

Without the scope, Cinder's scheduler would evaluate it.
"""


@dataclass(frozen=True)
class Request:
    """The properties of a backup that determine its backend.

    :ivar name: the backup's name, as the user gave it.
    :ivar wanted: the value of its property :data:`PROPERTY`.
    :ivar type_default: the value of :data:`EXTRA_SPEC` of its volume's type.
    """

    name: str | None = None
    wanted: str | None = None
    type_default: str | None = None


@dataclass(frozen=True)
class Table:
    """The backends to choose from.

    :ivar enabled: the names of the enabled backends.
    :ivar primary: the one of them that gets backups which match no other rule.
    :ivar known: names of backends that exist, enabled or not.
    :ivar refuse_unmatched: backups that match no other rule are refused.
    """

    enabled: tuple[str, ...]
    primary: str
    known: frozenset[str] = frozenset()
    refuse_unmatched: bool = False


class Rule(Enum):
    """The rules, in their order."""

    PREFIX = "prefix"
    PROPERTY = "property"
    VOLUME_TYPE = "volume type"
    PRIMARY = "primary"
    PARENT = "parent"

    @property
    def explicit(self) -> bool:
        """Whether the user asked for this backend and no other."""
        return self in (Rule.PREFIX, Rule.PROPERTY)


@dataclass(frozen=True)
class Choice:
    """The backend, the rule that decided, and the reason in words."""

    backend: str
    rule: Rule
    because: str


@dataclass(frozen=True)
class Refusal:
    """Why the backup is refused, with the remedy, in one sentence."""

    why: str


def choose(request: Request, table: Table) -> Choice | Refusal:
    """Apply the rules in their order: prefix, property, volume type, primary.

    The first two are the user's explicit choice. If both are given they must agree, and a backend
    that is not enabled is never ignored: the backup would land where nobody looks for it.
    """
    by_type = _by_value(
        request.type_default, Rule.VOLUME_TYPE, f"the volume type's extra spec {EXTRA_SPEC}", table
    )
    return _by_user(request, table) or by_type or _by_default(table)


def _by_user(request: Request, table: Table) -> Choice | Refusal | None:
    by_prefix = _by_prefix(request.name or "", table)
    by_property = _by_value(request.wanted, Rule.PROPERTY, f"the property {PROPERTY}", table)
    for either in (by_prefix, by_property):
        if isinstance(either, Refusal):
            return either
    if (
        isinstance(by_prefix, Choice)
        and isinstance(by_property, Choice)
        and by_prefix.backend != by_property.backend
    ):
        return Refusal(
            f"The backup's name asks for backend {by_prefix.backend} and its property "
            f"{PROPERTY} for {by_property.backend}; use one of the two, or make them agree."
        )
    return by_prefix or by_property


def _by_default(table: Table) -> Choice | Refusal:
    if table.refuse_unmatched:
        return Refusal(
            f"Nothing says which backend the backup belongs to: begin its name with one of "
            f"{_listed(table.enabled)} and '_', or set its property {PROPERTY}."
        )
    because = f"nothing else claims it and {table.primary} is the primary"
    return Choice(table.primary, Rule.PRIMARY, because)


def _by_prefix(name: str, table: Table) -> Choice | Refusal | None:
    """The longest name wins: ``ceph_east_1`` is for ``ceph_east`` even where there is ``ceph``."""
    enabled = {backend.lower() for backend in table.enabled}
    disabled = [backend for backend in table.known if backend.lower() not in enabled]
    for backend in sorted((*table.enabled, *disabled), key=lambda one: (-len(one), one)):
        if not _begins_with(name, backend):
            continue
        if backend in table.enabled:
            return Choice(backend, Rule.PREFIX, f"its name begins with {backend}")
        return Refusal(
            f"The backup's name begins with {backend}, a backend that is not enabled here; "
            f"enabled are {_listed(table.enabled)}. Name the backup otherwise, or enable it."
        )
    return None


def _begins_with(name: str, backend: str) -> bool:
    head, rest = name[: len(backend)], name[len(backend) :]
    # Some letters of other scripts have a Latin lower case: those do not match a prefix.
    return head.isascii() and head.lower() == backend.lower() and (not rest or rest.startswith("_"))


def _by_value(value: str | None, rule: Rule, whose: str, table: Table) -> Choice | Refusal | None:
    wanted = (value or "").strip()
    if not wanted:
        return None
    for backend in table.enabled:
        if backend.lower() == wanted.lower():
            return Choice(backend, rule, f"{whose} names {backend}")
    return Refusal(
        f"{whose[0].upper()}{whose[1:]} names {wanted!r}, a backend that is not enabled here; "
        f"enabled are {_listed(table.enabled)}."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
