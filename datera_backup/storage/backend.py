# SPDX-License-Identifier: Apache-2.0
"""What a process keeps of a backend: Cinder makes a driver object for every single operation."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from datera_backup.settings import BackupSettings
from datera_backup.storage import leftovers
from datera_backup.storage.attachments import Attachments
from datera_volume.connection import Cluster, ClusterSettings, Tenant

_GUARD = threading.Lock()
_CLUSTERS: dict[tuple[int, ClusterSettings], Cluster] = {}
_SLOTS: dict[tuple[int, ClusterSettings], threading.Semaphore] = {}


@dataclass(frozen=True)
class DateraBackend:
    """A cluster, the tenant for new chains of backups, and how this process uses them.

    :ivar attachments: those of the tenant for new chains.
    """

    settings: BackupSettings
    cluster: Cluster
    tenant: Tenant
    attachments: Attachments
    concurrency_slots: threading.Semaphore | None
    """One for each backup or restore that may run at once; None where there is no limit."""

    @property
    def address(self) -> str:
        """The cluster's host and port."""
        return self.settings.cluster.address

    def attachments_in(self, tenant: str) -> Attachments:
        """Containers of the tenant that a record names."""
        return Attachments(self.cluster.tenant(tenant), self.address)

    def clear_leftovers(self) -> None:
        """Detach leftovers: the first step of each use of the cluster.

        Failures are logged.
        """
        for tenant in sorted({self.tenant.path} | leftovers.tenants(self.address)):
            self.attachments_in(tenant).clear_leftovers()


def backend_for(settings: BackupSettings) -> DateraBackend:
    """Return the backend, with the session that this process already has, if it has one.

    :raises SdkMissing: ``dfs_sdk`` is not installed.
    """
    # A forked worker must not use its parent's connections.
    key = (os.getpid(), settings.cluster)
    with _GUARD:
        cluster = _CLUSTERS.get(key)
        if cluster is None:
            cluster = _CLUSTERS[key] = Cluster(settings.cluster)
        slots = None
        if settings.max_concurrency:
            slots = _SLOTS.setdefault(key, threading.Semaphore(settings.max_concurrency))
    tenant = cluster.tenant(settings.tenant)
    attachments = Attachments(tenant, settings.cluster.address)
    return DateraBackend(settings, cluster, tenant, attachments, slots)


def forget_backends() -> None:
    """Log out everywhere, and reset all state of this process."""
    leftovers.forget_all()
    with _GUARD:
        clusters = [cluster for (pid, _), cluster in _CLUSTERS.items() if pid == os.getpid()]
        _CLUSTERS.clear()
        _SLOTS.clear()
    for cluster in clusters:
        cluster.close()
