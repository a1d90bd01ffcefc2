# SPDX-License-Identifier: Apache-2.0
"""One tenant of a cluster, and everything that drivers do in it."""

from __future__ import annotations

import dataclasses

from datera_volume.connection.dialect import Dialect
from datera_volume.connection.errors import NotOnCluster
from datera_volume.connection.resources import tenants
from datera_volume.connection.resources.access import Access
from datera_volume.connection.resources.instances import AppInstances
from datera_volume.connection.resources.metadata import Metadata
from datera_volume.connection.resources.model import SystemInfo
from datera_volume.connection.resources.parsing import system_info
from datera_volume.connection.resources.snapshots import Snapshots
from datera_volume.connection.resources.storage_instances import StorageInstances
from datera_volume.connection.resources.volumes import Volumes
from datera_volume.connection.transport.paths import child, last_segment


class Tenant(AppInstances, Metadata, StorageInstances, Access, Volumes, Snapshots):
    """A view of one tenant. Each request carries its header; it keeps nothing between calls."""

    @property
    def path(self) -> str:
        """The tenant's absolute path, ``/root`` or below."""
        return self._adapter.tenant

    @property
    def address(self) -> str:
        """Its cluster's host and port, for messages."""
        return self._adapter.session.settings.address

    @property
    def dialect(self) -> Dialect:
        """The dialect of its cluster; logs in where that has not happened yet."""
        return self._adapter.dialect

    def __repr__(self) -> str:
        return f"Tenant({self.path!r} at {self.address})"

    def at_once(self) -> Tenant:
        """Return a view that asks a busy or unreachable cluster once, and does not wait for it."""
        return self.within(0.0)

    def within(self, seconds: float) -> Tenant:
        """Return a view that retries a busy or unreachable cluster for that long."""
        return Tenant(dataclasses.replace(self._adapter, busy_timeout=seconds))

    def ensure(self) -> None:
        """Create the tenant, and those above it, where they are missing.

        :raises PermissionRefused: it is missing and this user may not create it.
        :raises LimitReached: it is missing and the cluster has as many as it takes.
        """
        tenants.ensure(self._adapter)

    def exists(self) -> bool | None:
        """Whether the tenant exists; None if this user may not read tenants. Nothing is created."""
        return tenants.exists(self._adapter)

    def has_placement_policy(self, name: str) -> bool | None:
        """Whether the cluster has this placement policy; None where it has no such policies."""
        if not self.dialect.placement_policies:
            return None
        try:
            self._adapter.get(child("/placement_policies", last_segment(name)))
        except NotOnCluster:
            return False
        return True

    def system(self) -> SystemInfo:
        """Return the cluster's own state and capacities."""
        return system_info(self._adapter.get("/system"))
