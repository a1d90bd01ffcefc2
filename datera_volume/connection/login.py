# SPDX-License-Identifier: Apache-2.0
"""One session with a cluster for all threads, renewed once for all of them when it has ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from datera_volume.connection import tracing
from datera_volume.connection.answers import UNAUTHORIZED
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
from datera_volume.connection.exchange import Exchange
from datera_volume.connection.paths import ROOT

LOG = tracing.logger(__name__)


# Seconds in which a name and password that were refused are not sent again: they are the same, and
# a directory may lock who tries too often. Not for ever, for the refusal may have been a passing
# trouble of that directory.
REFUSAL_STANDS = 300.0


class Login:
    """The session's key and the dialect, known together or not at all.

    :param clock: seconds that only grow.
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
        """How to speak to this cluster; None before the first login."""
        return self._dialect

    def key(self, expired: str | None = None) -> str:
        """Return the key to use; of many threads that need a new one, one logs in.

        :param expired: the key that the cluster no longer knows.
        :raises LoginRefused: the name or the password is wrong.
        :raises VersionNotOffered: the cluster does not speak the configured API version.
        """
        ended_before = self._ended
        with self._lock:
            if self._key is not None and self._key != expired:
                return self._key
            if self._ended != ended_before and self._failure is not None:
                # Another thread tried while this one waited; a wrong password must not be tried
                # once per thread.
                raise type(self._failure)(*self._failure.args)
            return self._log_in()

    def accepted(self, key: str) -> bool:
        """Ask the cluster for something that every user may read, to learn if it knows this key.

        :raises Retriable: it did not say.
        """
        target = f"/{self._settings.version}/system"
        try:
            answer = self._exchange.send("GET", target, key=key, tenant=ROOT)
            if answer.status == UNAUTHORIZED:
                return False
            self._exchange.checked("GET", target, answer)
        except OutcomeUnknown as exc:
            # Whatever became of this question, what it was asked for was refused.
            raise ClusterUnreachable(str(exc)) from exc
        except DateraError as exc:
            if isinstance(exc, Retriable):
                raise
            LOG.debug("The key is known to the cluster, which fails otherwise: %s", exc)
        return True

    def afresh(self) -> None:
        """Log in, whether or not there is a session.

        :raises LoginRefused: the name or the password is wrong, or was a moment ago.
        """
        with self._lock:
            self._log_in()

    def give_up(self) -> str | None:
        """Forget the session and return its key, if there is one, so that it can be ended."""
        with self._lock:
            key, self._key = self._key, None
            return key

    def _log_in(self) -> str:
        """Log in with the lock held. Asks nothing that would log in again."""
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
            # Whatever became of the login, what it was needed for has not been sent.
            self._failure = ClusterUnreachable(str(exc))
            raise self._failure from exc
        except DateraError as exc:
            self._failure = exc
            raise
        finally:
            self._ended += 1
        self._dialect = dialect_for(self._settings.api_version, product_version)
        # Last: whoever sees the key may rely on the dialect.
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
        answer = self._exchange.send("GET", "/api_versions")
        offered = answer.fields.get("api_versions")
        if not answer.ok or not isinstance(offered, list):
            # Products from before this question answer it with an error; they speak 2.1 at best,
            # and the login itself will tell.
            if answer.status not in (400, 401, 403, 404, 405):
                self._exchange.checked("GET", "/api_versions", answer)
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
        answer = exchange.send("PUT", target, body=body, loggable=False)
        try:
            fields = exchange.checked("PUT", target, answer)
        except (PermissionRefused, RequestRefused) as exc:
            self._refused_at = self._clock()
            self._refused = LoginRefused(
                f"The Datera cluster {settings.address} refused to log in the user "
                f"{settings.username}: {answer.reason_told(exchange.masker)}"
            )
            raise self._refused from exc
        except NotOnCluster as exc:
            raise VersionNotOffered(
                f"The Datera cluster {settings.address} does not offer API version "
                f"{settings.version}: it has no login there. "
                f"Set {settings.names.own}api_version to another."
            ) from exc
        data = fields.get("data", fields)
        key = data.get("key") if isinstance(data, dict) else None
        if not isinstance(key, str) or not key:
            raise UnexpectedAnswer(f"PUT {target} at {settings.address}: an answer with no key")
        exchange.masker.learn(key)
        return key

    def _product_version(self, key: str) -> str:
        target = f"/{self._settings.version}/system"
        answer = self._exchange.send("GET", target, key=key, tenant=ROOT)
        if answer.session_ended:
            raise SessionEnded(
                f"The Datera cluster {self._settings.address} gave a session that it does not "
                f"accept"
            )
        try:
            fields = self._exchange.checked("GET", target, answer)
        except (PermissionRefused, NotOnCluster, RequestRefused) as exc:
            if self._dialect is not None:
                return self._dialect.product_version
            LOG.warning("The product version is unknown, so its oldest habits are assumed: %s", exc)
            return ""
        data = fields.get("data", fields)
        return str(data.get("sw_version", "")) if isinstance(data, dict) else ""
