# SPDX-License-Identifier: Apache-2.0
"""The one place that looks up what a driver offers beside Cinder's methods."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from backup_dispatch.drivers.ceph import CephAdapter
from backup_dispatch.drivers.chunked import ChunkedAdapter
from backup_dispatch.drivers.families import is_ceph, is_chunked

C = TypeVar("C")

Adapter = ChunkedAdapter | CephAdapter


def offered(driver: Any, capability: type[C]) -> C | None:
    """The object that offers a capability for a driver: the driver, or the adapter for Cinder's.

    :param driver: a driver object; or its class, of which only static methods may be called.
    :param capability: a protocol of :mod:`backup_dispatch.drivers.interface`.
    :returns: None if nobody offers it.
    """
    for one in (driver, adapter_of(driver)):
        if one is not None and offers(one, capability):
            return cast("C", one)
    return None


def offers(one: Any, capability: type[Any]) -> bool:
    """Whether it has all members of a capability, also those that it delegates.

    Not ``isinstance``: from Python 3.12 on that does not see what ``__getattr__`` returns.
    """
    return all(getattr(one, name, None) is not None for name in members_of(capability))


def members_of(capability: type[Any]) -> list[str]:
    """The names that a protocol demands."""
    return [name for name in vars(capability) if not name.startswith("_")]


def adapter_of(driver: Any) -> Adapter | None:
    """The adapter for one of Cinder's own drivers; None for any other driver."""
    if is_chunked(driver):
        return ChunkedAdapter(driver)
    return CephAdapter(driver) if is_ceph(driver) else None
