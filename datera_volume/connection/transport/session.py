# SPDX-License-Identifier: Apache-2.0
"""The SDK's connection with another transport: pooled, with timeouts, and thread-safe.

Every method of the SDK's class that uses the network is overridden: the SDK's own objects use this
session, these timeouts, these retries and these errors too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from datera_volume.connection.dialect import Dialect
from datera_volume.connection.errors import DateraError, SessionEnded, UnexpectedAnswer
from datera_volume.connection.settings import ClusterSettings
from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.auth import Authenticator
from datera_volume.connection.transport.exchange import Exchange
from datera_volume.connection.transport.http import HttpTransport
from datera_volume.connection.transport.listing import read_all
from datera_volume.connection.transport.masking import Masker
from datera_volume.connection.transport.paths import ROOT, escaped
from datera_volume.connection.transport.retrying import with_retries
from datera_volume.connection.transport.sdk import SDK_VERSION, ApiConnection, ApiContext

LOG = tracing.logger(__name__)

Fields = Mapping[str, Any]


class ClusterSession(ApiConnection):
    """A session with one cluster, for all threads of a process.

    :ivar own_initiators: IQNs that the root tenant was seen to have; one may be removed since.
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
        super().__init__(_context(settings))
        self.settings = settings
        self.own_initiators: set[str] = set()
        masker = Masker(settings.password)
        self._exchange = Exchange(
            settings,
            masker,
            HttpTransport(settings, masker, session=session, clock=clock),
            f"{settings.driver_header}|Python-SDK-{SDK_VERSION}",
        )
        self._auth = Authenticator(self._exchange, clock)
        self._sleep = sleep
        self._clock = clock

    @property
    def dialect(self) -> Dialect:
        """The dialect of this cluster; logs in where that has not happened yet."""
        if self._auth.dialect is None:
            self._retrying("PUT", self._auth.key)
        dialect = self._auth.dialect
        if dialect is None:
            raise UnexpectedAnswer(f"Logged in at {self.settings.address} without its version")
        return dialect

    def request(
        self,
        method: str,
        path: str,
        *,
        tenant: str = ROOT,
        body: Fields | None = None,
        params: Fields | None = None,
        busy_timeout: float | None = None,
    ) -> Fields:
        """Send one request in a tenant and return the whole response, ``data`` and ``metadata``.

        A busy cluster is retried within the busy timeout. A DELETE that was retried and then finds
        nothing may have succeeded: the caller must prove the absence.

        :param path: not escaped, without the version.
        :param busy_timeout: seconds; None: as configured.
        :raises DateraError: according to the response, or to its absence.
        """
        target = f"/{self.settings.version}{escaped(path)}"
        response: Fields = self._retrying(
            method,
            lambda: self._request_once(method, target, tenant, body, params),
            busy_timeout,
        )
        return response

    def request_all(
        self,
        path: str,
        *,
        tenant: str = ROOT,
        params: Fields | None = None,
        busy_timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return a whole collection, however it is paginated."""
        return read_all(
            lambda extra: self.request(
                "GET",
                path,
                tenant=tenant,
                params={**(params or {}), **extra},
                busy_timeout=busy_timeout,
            ),
            self.dialect,
            filtered="filter" in (params or {}),
        )

    def mask(self, path: str, secret: str) -> None:
        """Mask in logs and errors a secret that was set on an object of the cluster before.

        :param path: where it is set, as for :meth:`request`.
        """
        self._exchange.masker.learn(f"/{self.settings.version}{escaped(path)}", secret)

    def login(self, **_params: Any) -> None:
        """Log in now, whether or not there is a session.

        :raises LoginRefused: the name or the password is wrong.
        :raises VersionNotOffered: the cluster does not offer the configured API version.
        """
        self._retrying("PUT", self._auth.afresh)

    def logout(self) -> None:
        """End the session on the cluster, if there is one; a failure is logged only."""
        key = self._auth.give_up()
        if key is None:
            return
        try:
            self._exchange.send("PUT", f"/{self.settings.version}/logout", key=key)
        except DateraError as exc:
            LOG.debug("Could not log out of the Datera cluster: %s", exc)

    def close(self) -> None:
        """Log out and close the connections."""
        self.logout()
        self._exchange.http.close()

    def _retrying(
        self, method: str, once: Callable[[], Any], busy_timeout: float | None = None
    ) -> Any:
        return with_retries(
            once,
            method=method,
            settings=self.settings,
            busy_timeout=busy_timeout,
            sleep=self._sleep,
            clock=self._clock,
        )

    def _request_once(
        self, method: str, target: str, tenant: str, body: Fields | None, params: Fields | None
    ) -> Fields:
        key = self._auth.key()
        send = self._exchange.send
        response = send(method, target, key=key, tenant=tenant, body=body, params=params)
        if response.session_ended or (
            response.may_have_ended_session and not self._auth.accepted(key)
        ):
            key = self._auth.key(expired=key)
            response = send(method, target, key=key, tenant=tenant, body=body, params=params)
        if response.session_ended:
            # Another thread or client may have ended it: nothing was done.
            raise SessionEnded(
                f"{method} {target}: the Datera cluster {self.settings.address} ended a session "
                f"that it had just issued"
            )
        return self._exchange.checked(method, target, response)

    # -- overridden methods of the SDK

    def _do_request(
        self,
        method: str,
        urlpath: str,
        files: Any = None,
        data: Any = None,
        params: Any = None,
        **_kwargs: Any,
    ) -> tuple[Fields, Any]:
        if files is not None:
            raise NotImplementedError("Uploads are not supported")
        body, query = dict(data or {}), dict(params or {})
        tenants = [body.pop("tenant", None), query.pop("tenant", None), ROOT]
        tenant = next(one for one in tenants if one)
        sent = body if data is not None else None
        response = dict(self.request(method, urlpath, tenant=tenant, body=sent, params=query))
        if isinstance(response.get("data"), list) and method == "GET":
            return {}, self.request_all(urlpath, tenant=tenant, params=query)
        return (response, response.pop("data")) if "data" in response else ({}, response)

    def _do_auth_request(self, method: str, urlpath: str, **kwargs: Any) -> tuple[Fields, Any]:
        return self._do_request(method, urlpath, **kwargs)

    def _http_connect_request(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError("The SDK's own transport is not used")

    def _do_stream_request(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError("Streams are not supported")

    def _get_schema(self, endpoint: str) -> Any:
        # The SDK would cache this in a file in /tmp that any user can forge.
        return self.request("GET", endpoint)


def _context(settings: ClusterSettings) -> Any:
    context = ApiContext()
    context.hostname = settings.host
    context.username = settings.username
    context.password = settings.password
    context.version = settings.version
    context.secure = settings.tls.enabled
    context.timeout = settings.read_timeout
    context.ldap_server = settings.ldap_server
    return context
