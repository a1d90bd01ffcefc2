# SPDX-License-Identifier: Apache-2.0
"""Checks that what a driver offers can be called as the dispatcher calls it."""

from __future__ import annotations

import inspect
from typing import Any

from backup_dispatch.drivers import interface
from backup_dispatch.drivers.offers import members_of, offers

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def offered_by(driver_class: type[Any]) -> tuple[type[Any], ...]:
    """The protocols of :mod:`backup_dispatch.drivers.interface` that the driver offers in full."""
    return tuple(one for one in interface.ALL if offers(driver_class, one))


def disagreements(driver_class: type[Any]) -> list[str]:
    """Violations of :mod:`backup_dispatch.drivers.interface`, one line each.

    A protocol that the driver has only partly, a method that cannot be called
    with the arguments that it will get, and one that needs an object where there is none.
    """
    found: list[str] = []
    for capability in interface.ALL:
        members = members_of(capability)
        missing = [name for name in members if not hasattr(driver_class, name)]
        if len(missing) == len(members):
            continue
        found += [f"{capability.__name__}: {name} is missing" for name in missing]
        found += [
            f"{capability.__name__}: {why}"
            for name in members
            if name not in missing and (why := _uncallable(driver_class, capability, name))
        ]
    return found


def _uncallable(driver_class: type[Any], capability: type[Any], name: str) -> str:
    """Why the method cannot be called as promised; empty if it can be, or is not a method."""
    promised = inspect.getattr_static(capability, name)
    if isinstance(promised, property):
        return ""
    own: Any = getattr(driver_class, name)
    if not callable(own):
        return f"{name} is no method"
    is_static = isinstance(promised, staticmethod)
    bound = isinstance(inspect.getattr_static(driver_class, name), (staticmethod, classmethod))
    if is_static and not bound:
        return f"{name} must be a static method, for it is called without an object"
    parameters = inspect.signature(getattr(capability, name)).parameters.values()
    positional = [one.name for one in parameters if one.kind in _POSITIONAL]
    if bound and not is_static:
        del positional[0]
    named = [one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
    try:
        inspect.signature(own).bind(*positional, **dict.fromkeys(named))
    except TypeError as error:
        shown = ", ".join(one for one in (*positional, *(f"{one}=…" for one in named)))
        return f"{name} cannot be called with ({shown}): {error}"
    return ""
