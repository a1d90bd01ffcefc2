# SPDX-License-Identifier: Apache-2.0
"""How an initiator reaches a storage instance: its target, its portals and its LUN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from datera_volume.connection.errors import UnexpectedAnswer
from datera_volume.connection.resources.model import StorageInstance

PORT = 3260
# Each storage instance of ours has one volume.
LUN = 0


def first(portals: Sequence[str]) -> str:
    """Return the first portal."""
    return portals[0]


def target_properties(
    storage: StorageInstance,
    *,
    multipath: bool,
    choose: Callable[[Sequence[str]], str] = first,
) -> dict[str, Any]:
    """Return the connection properties that os-brick and Nova expect of an iSCSI target.

    :param multipath: name all portals, beside the one to begin with.
    :param choose: picks the portal to begin with.
    :raises UnexpectedAnswer: the storage instance has no portal, or no IQN.
    """
    portals = [f"[{ip}]:{PORT}" if ":" in ip else f"{ip}:{PORT}" for ip in storage.ips]
    if not portals or not storage.iqn:
        raise UnexpectedAnswer(f"Storage instance {storage.path} has no portal, or no IQN")
    properties: dict[str, Any] = {
        "target_discovered": False,
        "target_portal": choose(portals),
        "target_iqn": storage.iqn,
        "target_lun": LUN,
    }
    if multipath:
        properties |= {
            "target_portals": portals,
            "target_iqns": [storage.iqn] * len(portals),
            "target_luns": [LUN] * len(portals),
        }
    return properties
