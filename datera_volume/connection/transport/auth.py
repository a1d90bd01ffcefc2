# SPDX-License-Identifier: Apache-2.0
"""Authentication: one session key for all threads, renewed once for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from datera_volume.connection.dialect import Dialect, dialect_for
from datera_volume.connection.errors import (
    ClusterUnreachable,
    DateraError,
    LoginRefused,
    NotOnCluster,
    OutcomeUnknown,
    PermissionRefused,
    RequestRefused,
    Retriable,
    SessionEnded,
    UnexpectedAnswer,
    VersionNotOffered,
)
from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.exchange import Exchange
from datera_volume.connection.transport.paths import ROOT
from datera_volume.connection.transport.responses import UNAUTHORIZED

LOG = tracing.logger(__name__)


# Seconds for which refused credentials are not sent again: an LDAP server may lock the account
# after too many attempts. Not for ever, since it may have been a temporary failure of that server.
REFUSAL_STANDS = 300.0


class Authenticator:
    """Logs in; holds the session key and the dialect, which are set together.

    :param clock: a monotonic clock, in seconds.
    """

    def __init__(self, exchange: Exchange, clock: Callable[[], float] = time.monotonic) -> None:
        self._exchange = exchange
        self._clock = clock
        self._settings = exchange.settings
        self._lock = threading.Lock()
        self._key: str | None = None
        self._dialect: Dialect | None = None
        self._ended = 0
        self._failure: DateraError | None = None
        self._refused: LoginRefused | None = None
        self._refused_at = 0.0

    @property
    def dialect(self) -> Dialect | None:
        """The dialect of this cluster; None before the first login."""
        return self._dialect

    def key(self, expired: str | None = None) -> str:
        """Return the session key; if many threads need a new one, one of them logs in.

        :param expired: the key that the cluster no longer accepts.
        :raises LoginRefused: the name or the password is wrong.
        :raises VersionNotOffered: the cluster does not offer the configured API version.
        """
        ended_before = self._ended
        with self._lock:
            if self._key is not None and self._key != expired:
                return self._key
            if self._ended != ended_before and self._failure is not None:
                # Another thread failed while this one waited; a wrong password must not be sent
                # once per thread.
                raise type(self._failure)(*self._failure.args)
            return self._log_in()

    def accepted(self, key: str) -> bool:
        """Read something that every user may read, to check whether the key is accepted.

        :raises Retriable: the check failed.
        """
        target = f"/{self._settings.version}/system"
        try:
            response = self._exchange.send("GET", target, key=key, tenant=ROOT)
            if response.status == UNAUTHORIZED:
                return False
            self._exchange.checked("GET", target, response)
        except OutcomeUnknown as exc:
            # Whatever became of the check, the original request was refused.
            raise ClusterUnreachable(str(exc)) from exc
        except DateraError as exc:
            if isinstance(exc, Retriable):
                raise
            LOG.debug("The session key is accepted, but the request failed: %s", exc)
        return True

    def afresh(self) -> None:
        """Log in, whether or not there is a session.

        :raises LoginRefused: the name or the password is wrong, or was within five minutes.
        """
        with self._lock:
            self._log_in()

    def give_up(self) -> str | None:
        """Forget the session key and return it, if there is one, to log out with it."""
        with self._lock:
            key, self._key = self._key, None
            return key

    def _log_in(self) -> str:
        """Log in with the lock held; never calls what would log in again."""
        if self._refused is not None and self._clock() - self._refused_at < REFUSAL_STANDS:
            raise LoginRefused(*self._refused.args)
        self._failure = None
        self._refused = None
        self._key = None
        try:
            if self._dialect is None:
                self._check_version()
            key = self._new_key()
            product_version = self._product_version(key)
        except OutcomeUnknown as exc:
            # Whatever became of the login, the request that needed it was not sent.
            self._failure = ClusterUnreachable(str(exc))
            raise self._failure from exc
        except DateraError as exc:
            self._failure = exc
            raise
        finally:
            self._ended += 1
        self._dialect = dialect_for(self._settings.api_version, product_version)
        # Last: with the key the dialect must be available.
        self._key = key
        LOG.info(
            "Logged in to the Datera cluster %s as %s, product version %s, API %s",
            self._settings.address,
            self._settings.username,
            product_version or "unknown",
            self._settings.version,
        )
        return key

    def _check_version(self) -> None:
        response = self._exchange.send("GET", "/api_versions")
        offered = response.fields.get("api_versions")
        if not response.ok or not isinstance(offered, list):
            # Older products respond with an error; they offer 2.1 at best, which the login will
            # show.
            if response.status not in (400, 401, 403, 404, 405):
                self._exchange.checked("GET", "/api_versions", response)
            return
        if self._settings.version not in offered:
            raise VersionNotOffered(
                f"The Datera cluster {self._settings.address} does not offer API version "
                f"{self._settings.version}; it offers {', '.join(str(v) for v in offered)}. "
                f"Set {self._settings.names.own}api_version to one of them."
            )

    def _new_key(self) -> str:
        settings, exchange = self._settings, self._exchange
        body = {"name": settings.username, "password": settings.password}
        if settings.ldap_server:
            body["remote_server"] = settings.ldap_server
        target = f"/{settings.version}/login"
        response = exchange.send("PUT", target, body=body, loggable=False)
        try:
            fields = exchange.checked("PUT", target, response)
        except (PermissionRefused, RequestRefused) as exc:
            self._refused_at = self._clock()
            self._refused = LoginRefused(
                f"The Datera cluster {settings.address} refused to log in the user "
                f"{settings.username}: {response.error_message(exchange.masker)}"
            )
            raise self._refused from exc
        except NotOnCluster as exc:
            raise VersionNotOffered(
                f"The Datera cluster {settings.address} does not offer API version "
                f"{settings.version}: there is no login. "
                f"Set {settings.names.own}api_version to another."
            ) from exc
        data = fields.get("data", fields)
        key = data.get("key") if isinstance(data, dict) else None
        if not isinstance(key, str) or not key:
            raise UnexpectedAnswer(
                f"PUT {target} at {settings.address}: a response without a session key"
            )
        exchange.masker.learn_key(key)
        return key

    def _product_version(self, key: str) -> str:
        target = f"/{self._settings.version}/system"
        response = self._exchange.send("GET", target, key=key, tenant=ROOT)
        if response.session_ended:
            raise SessionEnded(
                f"The Datera cluster {self._settings.address} issued a session that it does not "
                f"accept"
            )
        try:
            fields = self._exchange.checked("GET", target, response)
        except (PermissionRefused, NotOnCluster, RequestRefused) as exc:
            if self._dialect is not None:
                return self._dialect.product_version
            LOG.warning("The product version is unknown, so the oldest is assumed: %s", exc)
            return ""
        data = fields.get("data", fields)
        return str(data.get("sw_version", "")) if isinstance(data, dict) else ""
