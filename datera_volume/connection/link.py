# SPDX-License-Identifier: Apache-2.0
"""The SDK's connection with another transport: pooled, bounded in time, and safe among threads.

Of the SDK's own class nothing that talks to the network is left: whoever uses it through the SDK's
objects gets this session, these time limits, these retries and these errors too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from datera_volume.connection import tracing
from datera_volume.connection.dialect import Dialect
from datera_volume.connection.errors import DateraError, SessionEnded, UnexpectedAnswer
from datera_volume.connection.exchange import Exchange
from datera_volume.connection.listing import read_all
from datera_volume.connection.login import Login
from datera_volume.connection.masking import Masker
from datera_volume.connection.paths import ROOT, escaped
from datera_volume.connection.retrying import AlreadyDeleted, with_retries
from datera_volume.connection.sdk import SDK_VERSION, ApiConnection, ApiContext
from datera_volume.connection.settings import ClusterSettings
from datera_volume.connection.wire import Wire

LOG = tracing.logger(__name__)

Fields = Mapping[str, Any]


class Link(ApiConnection):
    """One login to one cluster, for all threads of a process.

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
        masker = Masker(settings.password)
        self._exchange = Exchange(
            settings,
            masker,
            Wire(settings, masker, session=session, clock=clock),
            f"{settings.driver_header}|Python-SDK-{SDK_VERSION}",
        )
        self._session = Login(self._exchange, clock)
        self._sleep = sleep
        self._clock = clock

    @property
    def dialect(self) -> Dialect:
        """How to speak to this cluster; logs in where that has not happened yet."""
        if self._session.dialect is None:
            self._retrying("PUT", self._session.key)
        dialect = self._session.dialect
        if dialect is None:
            raise UnexpectedAnswer(f"Logged in at {self.settings.address} without its version")
        return dialect

    def ask(
        self,
        method: str,
        path: str,
        *,
        tenant: str = ROOT,
        body: Fields | None = None,
        params: Fields | None = None,
        busy_timeout: float | None = None,
    ) -> Fields:
        """Send one request in a tenant and return the whole answer, ``data`` and ``metadata``.

        A busy cluster is asked again within the busy timeout. A DELETE that had to be repeated and
        then finds nothing has worked.

        :param path: not escaped, without the version.
        :param busy_timeout: seconds, where they are not the operator's.
        :raises DateraError: as the cluster's answer, or its absence, means.
        """
        target = f"/{self.settings.version}{escaped(path)}"
        try:
            answer: Fields = self._retrying(
                method,
                lambda: self._ask_once(method, target, tenant, body, params),
                busy_timeout,
            )
        except AlreadyDeleted:
            return {}
        return answer

    def ask_all(
        self,
        path: str,
        *,
        tenant: str = ROOT,
        params: Fields | None = None,
        busy_timeout: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return a whole collection, however many pages it comes in."""
        return read_all(
            lambda extra: self.ask(
                "GET",
                path,
                tenant=tenant,
                params={**(params or {}), **extra},
                busy_timeout=busy_timeout,
            ),
            self.dialect,
            filtered="filter" in (params or {}),
        )

    def login(self, **_params: Any) -> None:
        """Log in now, whether or not there is a session.

        :raises LoginRefused: the name or the password is wrong.
        :raises VersionNotOffered: the cluster does not speak the configured API version.
        """
        self._retrying("PUT", self._session.afresh)

    def logout(self) -> None:
        """End the session on the cluster, if there is one; nothing depends on its success."""
        key = self._session.give_up()
        if key is None:
            return
        try:
            self._exchange.send("PUT", f"/{self.settings.version}/logout", key=key)
        except DateraError as exc:
            LOG.debug("Could not log out of the Datera cluster: %s", exc)

    def close(self) -> None:
        """Log out and give the connections back."""
        self.logout()
        self._exchange.wire.close()

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

    def _ask_once(
        self, method: str, target: str, tenant: str, body: Fields | None, params: Fields | None
    ) -> Fields:
        key = self._session.key()
        send = self._exchange.send
        answer = send(method, target, key=key, tenant=tenant, body=body, params=params)
        if answer.session_ended or (
            answer.may_have_ended_session and not self._session.accepted(key)
        ):
            key = self._session.key(expired=key)
            answer = send(method, target, key=key, tenant=tenant, body=body, params=params)
        if answer.session_ended:
            # Other threads use this session too, and so may other ends of it: nothing was done.
            raise SessionEnded(
                f"{method} {target}: the Datera cluster {self.settings.address} ended a session "
                f"that it had just given"
            )
        return self._exchange.checked(method, target, answer)

    # -- the SDK's own entrances

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
            raise NotImplementedError("Files are not uploaded through this layer")
        body, query = dict(data or {}), dict(params or {})
        tenants = [body.pop("tenant", None), query.pop("tenant", None), ROOT]
        tenant = next(one for one in tenants if one)
        sent = body if data is not None else None
        answer = dict(self.ask(method, urlpath, tenant=tenant, body=sent, params=query))
        if isinstance(answer.get("data"), list) and method == "GET":
            return {}, self.ask_all(urlpath, tenant=tenant, params=query)
        return (answer, answer.pop("data")) if "data" in answer else ({}, answer)

    def _do_auth_request(self, method: str, urlpath: str, **kwargs: Any) -> tuple[Fields, Any]:
        return self._do_request(method, urlpath, **kwargs)

    def _http_connect_request(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError("The SDK's own transport is not used")

    def _do_stream_request(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError("Streams are not read through this layer")

    def _get_schema(self, endpoint: str) -> Any:
        # The SDK would keep this in a file in /tmp that anybody can foist on it.
        return self.ask("GET", endpoint)


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
