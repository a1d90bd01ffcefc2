# SPDX-License-Identifier: Apache-2.0
"""One cluster, as drivers see it."""

from __future__ import annotations

import time
from collections.abc import Callable

import requests

from datera_volume.connection.dialect import Dialect
from datera_volume.connection.model import SystemInfo
from datera_volume.connection.settings import ClusterSettings
from datera_volume.connection.tenant import Tenant


class Cluster:
    """A session with one cluster, shared by all threads of a process; it logs in when it must.

    :param session: the transport to use instead of a new pooled one.
    :param sleep: waits that many seconds.
    :param clock: seconds that only grow.
    :raises SdkMissing: ``dfs_sdk`` is not installed.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        *,
        session: requests.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings

    @property
    def dialect(self) -> Dialect:
        """How to speak to this cluster; logs in where that has not happened yet."""
        raise NotImplementedError

    def login(self) -> None:
        """Log in now, whether or not there is a session.

        :raises LoginRefused: the name or the password is wrong.
        :raises ClusterUnreachable: no connection within the busy timeout.
        :raises CertificateRefused: its certificate is not trusted.
        :raises VersionNotOffered: it does not speak the configured API version.
        """
        raise NotImplementedError

    def system(self) -> SystemInfo:
        """Return what the cluster says of itself."""
        raise NotImplementedError

    def tenant(self, path: str | None = None) -> Tenant:
        """Return a view of one tenant; asks nothing. None is ``/root``; ``x`` is ``/root/x``."""
        raise NotImplementedError

    def close(self) -> None:
        """Log out where that is possible, and give the connections back."""
        raise NotImplementedError
