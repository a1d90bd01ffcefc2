# SPDX-License-Identifier: Apache-2.0
"""One cluster, as drivers see it."""

from __future__ import annotations

import time
from collections.abc import Callable

import requests

from datera_volume.connection.dialect import Dialect
from datera_volume.connection.polling import Poller
from datera_volume.connection.resources import tenants
from datera_volume.connection.resources.adapter import TenantAdapter
from datera_volume.connection.resources.model import SystemInfo
from datera_volume.connection.resources.tenant import Tenant
from datera_volume.connection.settings import ClusterSettings
from datera_volume.connection.transport.paths import ROOT, tenant_path


class Cluster:
    """A session with one cluster, shared by all threads of a process; logs in when necessary.

    :param session: the HTTP session to use instead of a new pooled one.
    :param sleep: sleeps that many seconds.
    :param clock: a monotonic clock, in seconds.
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
        # Only a connection needs the SDK: errors and settings can be imported without it.
        from datera_volume.connection.transport.session import ClusterSession

        self.settings = settings
        self._session = ClusterSession(settings, session=session, sleep=sleep, clock=clock)
        self._poller = Poller(sleep=sleep, clock=clock)

    def __repr__(self) -> str:
        return f"Cluster({self.settings.username}@{self.settings.address})"

    @property
    def dialect(self) -> Dialect:
        """The dialect of this cluster; logs in where that has not happened yet."""
        return self._session.dialect

    def login(self) -> None:
        """Log in now, whether or not there is a session.

        :raises LoginRefused: the name or the password is wrong.
        :raises ClusterUnreachable: no connection within the busy timeout.
        :raises CertificateRefused: its certificate is not trusted.
        :raises VersionNotOffered: it does not offer the configured API version.
        """
        self._session.login()

    def system(self) -> SystemInfo:
        """Return the cluster's own state and capacities."""
        return self.tenant().system()

    def tenant(self, path: str | None = None) -> Tenant:
        """Return a view of one tenant; sends no request. None is ``/root``; ``x`` is ``/root/x``.

        :raises RequestRefused: not a valid path of a tenant.
        """
        return Tenant(TenantAdapter(self._session, tenant_path(path), self._poller))

    def tenants(self) -> list[str]:
        """Return the paths of all tenants, ``/root`` first."""
        return tenants.paths(TenantAdapter(self._session, ROOT, self._poller))

    def close(self) -> None:
        """Log out where that is possible, and close the connections."""
        self._session.close()
