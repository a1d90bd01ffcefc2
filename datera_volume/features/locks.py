# SPDX-License-Identifier: Apache-2.0
"""The locks of attachments and initiators, by Cinder's coordination.

A volume's lock is acquired before an initiator's, never the other way round.
"""

from __future__ import annotations

import zlib
from typing import Any

from cinder import coordination

from datera_volume.connection import Tenant, fold_iqn
from datera_volume.operations.host_initiators import HostInitiators

# A lock may leave a file on disk: this many are shared by all hosts of a cloud.
INITIATOR_LOCKS = 64


def attachments_lock(volume_id: str) -> Any:
    """Return the lock on the attachments of a volume."""
    return coordination.COORDINATOR.get_lock(attachments_lock_name(volume_id))


def attachments_lock_name(volume_id: str) -> str:
    """Return the name of the lock on the attachments of a volume."""
    return f"datera-attachments-{volume_id}"


def initiators() -> HostInitiators:
    """Return the initiators of hosts, each allowed or removed under its lock."""
    return HostInitiators(_initiator_lock)


def _initiator_lock(tenant: Tenant, iqn: str) -> Any:
    number = zlib.crc32(f"{tenant.path}:{fold_iqn(iqn)}".encode()) % INITIATOR_LOCKS
    return coordination.COORDINATOR.get_lock(f"datera-initiators-{number}")
