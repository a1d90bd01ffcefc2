# SPDX-License-Identifier: Apache-2.0
"""One cluster, as drivers see it."""

from __future__ import annotations

import time
from collections.abc import Callable

import requests

from datera_volume.connection import tenants
from datera_volume.connection.asking import Asking
from datera_volume.connection.dialect import Dialect
from datera_volume.connection.model import SystemInfo
from datera_volume.connection.paths import ROOT, tenant_path
from datera_volume.connection.reading import entity_in, system_info
from datera_volume.connection.settings import ClusterSettings
from datera_volume.connection.tenant import Tenant
from datera_volume.connection.waiting import Patience


class Cluster:
    """A session with one cluster, shared by all threads of a process; it logs in when it must.

    :param session: the transport to use instead of a new pooled one.
    :param sleep: waits that many seconds.
    :param clock: seconds that only grow.
    :raises SdkMissing: ``dfs_sdk`` is not installed.
    :raises CertificateRefused: a file that the TLS settings name cannot be read.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        *,
        session: requests.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Only who talks to a cluster needs the SDK: errors and settings load without it.
        from datera_volume.connection.link import Link

        self.settings = settings
        self._link = Link(settings, session=session, sleep=sleep, clock=clock)
        self._patience = Patience(sleep=sleep, clock=clock)

    def __repr__(self) -> str:
        return f"Cluster({self.settings.username}@{self.settings.address})"

    @property
    def dialect(self) -> Dialect:
        """How to speak to this cluster; logs in where that has not happened yet."""
        return self._link.dialect

    def login(self) -> None:
        """Log in now, whether or not there is a session.

        :raises LoginRefused: the name or the password is wrong.
        :raises ClusterUnreachable: no connection within the busy timeout.
        :raises CertificateRefused: its certificate is not trusted.
        :raises VersionNotOffered: it does not speak the configured API version.
        """
        self._link.login()

    def system(self) -> SystemInfo:
        """Return what the cluster says of itself."""
        return system_info(entity_in(self._link.ask("GET", "/system", tenant=ROOT)))

    def tenant(self, path: str | None = None) -> Tenant:
        """Return a view of one tenant; asks nothing. None is ``/root``; ``x`` is ``/root/x``.

        :raises RequestRefused: the path cannot be that of a tenant.
        """
        return Tenant(Asking(self._link, tenant_path(path), self._patience))

    def tenants(self) -> list[str]:
        """Return the paths of all tenants, ``/root`` first."""
        return tenants.paths(Asking(self._link, ROOT, self._patience))

    def close(self) -> None:
        """Log out where that is possible, and give the connections back."""
        self._link.close()
