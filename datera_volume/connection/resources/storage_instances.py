# SPDX-License-Identifier: Apache-2.0
"""Changes of a storage instance: access control mode and IP pool."""

from __future__ import annotations

from datera_volume.connection.resources.adapter import TenantPart
from datera_volume.connection.resources.changing import change
from datera_volume.connection.resources.model import DENY_ALL, StorageInstanceRef
from datera_volume.connection.resources.parsing import name_in
from datera_volume.connection.transport.paths import child


class StorageInstances(TenantPart):
    """Storage instances of a tenant."""

    def close_to_all(self, si: StorageInstanceRef) -> None:
        """Restrict access to the ACL; this cannot be undone."""
        change(
            self._adapter,
            si.path,
            {"access_control_mode": DENY_ALL},
            lambda fields: fields.get("access_control_mode") == DENY_ALL,
            f"restricting access to {si.path} to its ACL",
        )

    def set_ip_pool(self, si: StorageInstanceRef, pool: str) -> None:
        """Assign the portals addresses of another pool; the app instance must be offline."""
        change(
            self._adapter,
            si.path,
            {"ip_pool": {"path": child("/access_network_ip_pools", pool)}},
            lambda fields: name_in(fields.get("ip_pool")) == pool,
            f"moving {si.path} to the pool {pool}",
        )
