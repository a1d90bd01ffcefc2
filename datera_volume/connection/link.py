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
from oslo_log import log as logging

from datera_volume.connection.answers import Answer, error_of
from datera_volume.connection.dialect import Dialect, dialect_for
from datera_volume.connection.errors import (
    ClusterFault,
    ClusterUnreachable,
    DateraError,
    LoginRefused,
    NotOnCluster,
    OutcomeUnknown,
    PermissionRefused,
    RequestRefused,
    UnexpectedAnswer,
    VersionNotOffered,
)
from datera_volume.connection.listing import read_all
from datera_volume.connection.masking import Masker
from datera_volume.connection.paths import ROOT, escaped
from datera_volume.connection.retrying import AlreadyDeleted, with_retries
from datera_volume.connection.sdk import SDK_VERSION, ApiConnection, ApiContext
from datera_volume.connection.settings import ClusterSettings
from datera_volume.connection.wire import Wire

LOG = logging.getLogger(__name__)

JSON = "application/json; charset=utf-8"
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
        self._key: str | None = None
        self.settings = settings
        self._masker = Masker(settings.password)
        self._wire = Wire(settings, self._masker, session=session, clock=clock)
        self._sleep = sleep
        self._clock = clock
        self._dialect: Dialect | None = None
        self._logins_ended = 0
        self._login_failure: DateraError | None = None

    # -- what the layer above uses

    @property
    def dialect(self) -> Dialect:
        """How to speak to this cluster; logs in where that has not happened yet."""
        if self._dialect is None:
            self._retrying("PUT", self._session_key)
        if self._dialect is None:
            raise UnexpectedAnswer(f"Logged in at {self.settings.address} without its version")
        return self._dialect

    def ask(
        self,
        method: str,
        path: str,
        *,
        tenant: str = ROOT,
        body: Fields | None = None,
        params: Fields | None = None,
    ) -> Fields:
        """Send one request in a tenant and return the whole answer, ``data`` and ``metadata``.

        A busy cluster is asked again within the busy timeout. A DELETE that had to be repeated and
        then finds nothing has worked.

        :param path: not escaped, without the version.
        :raises DateraError: as the cluster's answer, or its absence, means.
        """
        target = f"/{self.settings.version}{escaped(path)}"
        try:
            answer: Fields = self._retrying(
                method, lambda: self._ask_once(method, target, tenant, body, params)
            )
        except AlreadyDeleted:
            return {}
        return answer

    def ask_all(
        self, path: str, *, tenant: str = ROOT, params: Fields | None = None
    ) -> list[dict[str, Any]]:
        """Return a whole collection, however many pages it comes in."""
        return read_all(
            lambda extra: self.ask("GET", path, tenant=tenant, params={**(params or {}), **extra}),
            self.dialect,
            filtered="filter" in (params or {}),
        )

    def login(self, **_params: Any) -> None:
        """Log in now, whether or not there is a session.

        :raises LoginRefused: the name or the password is wrong.
        :raises VersionNotOffered: the cluster does not speak the configured API version.
        """

        def afresh() -> None:
            with self._lock:
                self._log_in()

        self._retrying("PUT", afresh)

    def logout(self) -> None:
        """End the session on the cluster, if there is one; nothing depends on its success."""
        with self._lock:
            key, self._key, self._logged_in = self._key, None, False
        if key is None:
            return
        try:
            self._send("PUT", f"/{self.settings.version}/logout", key=key)
        except DateraError as exc:
            LOG.debug("Could not log out of the Datera cluster: %s", exc)

    def close(self) -> None:
        """Log out and give the connections back."""
        self.logout()
        self._wire.close()

    # -- one request

    def _retrying(self, method: str, once: Callable[[], Any]) -> Any:
        return with_retries(
            once, method=method, settings=self.settings, sleep=self._sleep, clock=self._clock
        )

    def _ask_once(
        self, method: str, target: str, tenant: str, body: Fields | None, params: Fields | None
    ) -> Fields:
        key = self._session_key()
        answer = self._send(method, target, key=key, tenant=tenant, body=body, params=params)
        if answer.session_ended:
            key = self._session_key(ended=key)
            answer = self._send(method, target, key=key, tenant=tenant, body=body, params=params)
        return self._checked(method, target, answer)

    def _send(
        self,
        method: str,
        target: str,
        *,
        key: str | None = None,
        tenant: str | None = None,
        body: Fields | None = None,
        params: Fields | None = None,
        loggable: bool = True,
    ) -> Answer:
        headers = {
            "Content-Type": JSON,
            "Datera-Driver": f"{self.settings.driver_header}|Python-SDK-{SDK_VERSION}",
        }
        if tenant is not None:
            headers["tenant"] = tenant
        if key is not None:
            headers["Auth-Token"] = key
        return self._wire.send(
            method, target, headers=headers, params=params, body=body, loggable=loggable
        )

    def _checked(self, method: str, target: str, answer: Answer) -> Fields:
        asked = f"{method} {target} at {self.settings.address}"
        if not answer.ok:
            raise error_of(answer, asked, self._masker.text(answer.message))
        if isinstance(answer.body, dict):
            return answer.body
        if method == "DELETE" and not answer.text.strip():
            return {}
        raise UnexpectedAnswer(
            f"{asked}: {answer.status} with a body that is no JSON object: "
            f"{self._masker.text(answer.text[:80])!r}"
        )

    # -- the session

    def _session_key(self, ended: str | None = None) -> str:
        """Return the key to use; of many threads that need a new one, one logs in.

        :param ended: the key that turned out to have expired.
        """
        ended_before = self._logins_ended
        with self._lock:
            if self._key is None or self._key == ended:
                if self._logins_ended != ended_before and self._login_failure is not None:
                    # Another thread tried while this one waited; a wrong password must not be
                    # tried once per thread.
                    failure = self._login_failure
                    raise type(failure)(*failure.args)
                return self._log_in()
            return self._key

    def _log_in(self) -> str:
        """Log in with the lock held. Never asks anything that would log in again."""
        self._login_failure = None
        self._key, self._logged_in = None, False
        try:
            if self._dialect is None:
                self._check_version()
            key = self._new_key()
            product_version = self._read_product_version(key)
        except OutcomeUnknown as exc:
            # Whatever became of the login, what it was needed for has not been sent.
            self._login_failure = ClusterUnreachable(str(exc))
            raise self._login_failure from exc
        except DateraError as exc:
            self._login_failure = exc
            raise
        finally:
            self._logins_ended += 1
        self._product_version = product_version
        self._dialect = dialect_for(self.settings.api_version, product_version)
        # Last: whoever sees the key may rely on all of the above.
        self._key, self._logged_in = key, True
        LOG.info(
            "Logged in to the Datera cluster %s as %s, product version %s, API %s",
            self.settings.address,
            self.settings.username,
            product_version or "unknown",
            self.settings.version,
        )
        return key

    def _check_version(self) -> None:
        answer = self._send("GET", "/api_versions")
        offered = answer.fields.get("api_versions")
        if not answer.ok or not isinstance(offered, list):
            # Products from before this question answer it with an error; they speak 2.1 at best,
            # and the login itself will tell.
            if answer.status not in (400, 401, 403, 404, 405):
                self._checked("GET", "/api_versions", answer)
            return
        if self.settings.version not in offered:
            raise VersionNotOffered(
                f"The Datera cluster {self.settings.address} does not offer API version "
                f"{self.settings.version}; it offers {', '.join(str(v) for v in offered)}. "
                f"Set datera_api_version to one of them."
            )

    def _new_key(self) -> str:
        body = {"name": self.settings.username, "password": self.settings.password}
        if self.settings.ldap_server:
            body["remote_server"] = self.settings.ldap_server
        target = f"/{self.settings.version}/login"
        answer = self._send("PUT", target, body=body, loggable=False)
        try:
            fields = self._checked("PUT", target, answer)
        except (PermissionRefused, RequestRefused) as exc:
            raise LoginRefused(
                f"The Datera cluster {self.settings.address} refused to log in the user "
                f"{self.settings.username}: {self._masker.text(answer.message)}"
            ) from exc
        except NotOnCluster as exc:
            raise VersionNotOffered(
                f"The Datera cluster {self.settings.address} does not offer API version "
                f"{self.settings.version}: it has no login there. "
                f"Set datera_api_version to another."
            ) from exc
        data = fields.get("data", fields)
        key = data.get("key") if isinstance(data, dict) else None
        if not isinstance(key, str) or not key:
            raise UnexpectedAnswer(
                f"PUT {target} at {self.settings.address}: an answer with no key"
            )
        self._masker.learn(key)
        return key

    def _read_product_version(self, key: str) -> str:
        target = f"/{self.settings.version}/system"
        answer = self._send("GET", target, key=key, tenant=ROOT)
        if answer.session_ended:
            raise LoginRefused(
                f"The Datera cluster {self.settings.address} gave a session that it does not accept"
            )
        try:
            fields = self._checked("GET", target, answer)
        except (PermissionRefused, NotOnCluster, RequestRefused, ClusterFault) as exc:
            LOG.warning("The product version is unknown, so its oldest habits are assumed: %s", exc)
            return ""
        data = fields.get("data", fields)
        return str(data.get("sw_version", "")) if isinstance(data, dict) else ""

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
        tenant = body.pop("tenant", None) or query.pop("tenant", None) or ROOT
        query.pop("tenant", None)
        answer = dict(
            self.ask(
                method,
                urlpath,
                tenant=tenant,
                body=body if data is not None else None,
                params=query,
            )
        )
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
