# SPDX-License-Identifier: Apache-2.0
"""One pooled HTTP session with one cluster: TLS, timeouts, masked logging, and typed failures."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3.exceptions
from oslo_log import log as logging

from datera_volume.connection.errors import (
    CertificateRefused,
    ClusterUnreachable,
    OutcomeUnknown,
    UnexpectedAnswer,
)
from datera_volume.connection.settings import ClusterSettings
from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.deadline import ResponseDeadline, too_slow
from datera_volume.connection.transport.masking import Masker, secrets_in
from datera_volume.connection.transport.responses import HttpResponse

LOG = logging.getLogger(__name__)

# More threads than any Cinder has. Only as many connections are kept as were in use at once;
# for each one above this, urllib3 would warn that its pool is full.
POOLED = 512


class HttpTransport:
    """Sends one request and returns its response; knows neither logins nor tenants nor retries.

    :raises CertificateRefused: a file that the TLS settings name cannot be read.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        masker: Masker,
        *,
        session: requests.Session | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.masker = masker
        self._clock = clock
        self._session = session or _pooled(settings.response_timeout, clock)
        # Another driver in this process may have set a proxy in the environment.
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._verify, self._cert = _tls(settings)
        if settings.tls.enabled and not settings.tls.verify:
            LOG.warning(
                "The certificate of the Datera cluster %s is not verified; set "
                "%sssl_cert_verify (and %sssl_cert_path) to verify it.",
                settings.address,
                settings.names.tls,
                settings.names.tls,
            )
        elif not settings.tls.enabled:
            LOG.warning(
                "The password and all other data is sent in cleartext to the Datera cluster %s; "
                "set %suse_ssl to True to use HTTPS.",
                settings.address,
                settings.names.tls,
            )

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        loggable: bool = True,
    ) -> HttpResponse:
        """Send one request and return its response, whatever its status.

        :param path: escaped, with the version where there is one.
        :param loggable: False for bodies that must not be logged at all.
        :raises ClusterUnreachable: no connection was established, so nothing was sent.
        :raises CertificateRefused: the TLS handshake failed.
        :raises OutcomeUnknown: it was sent, and no complete response was received.
        """
        trace = tracing.mark()
        asked = f"{method} {path} at {self.settings.address}"
        secrets = list(secrets_in(body))
        self.masker.learn(path, *secrets)
        # Masking takes longer the more secrets there are: only what is logged is masked.
        logged = LOG.isEnabledFor(logging.DEBUG)
        if logged:
            LOG.debug(
                "[%s] > %s tenant=%s params=%s body=%s",
                trace,
                asked,
                headers.get("tenant", "-"),
                self.masker.body(dict(params or {})),
                self.masker.body(body) if loggable else "not logged",
            )
        started = self._clock()
        try:
            with self._mapped_errors(asked):
                received = self._session.request(
                    method,
                    f"{self.settings.scheme}://{self.settings.address}{path}",
                    headers=dict(headers),
                    params=params,
                    data=None if body is None else json.dumps(body).encode("utf-8"),
                    timeout=(self.settings.connect_timeout, self.settings.read_timeout),
                    allow_redirects=False,
                    verify=self._verify,
                    cert=self._cert,
                )
                response = HttpResponse.of(received.status_code, received.reason, received.content)
        except Exception as exc:
            LOG.debug(
                "[%s] ! %s after %.3f s", trace, self.masker.text(exc), self._clock() - started
            )
            raise
        finally:
            tracing.spent(self._clock() - started)
        if logged:
            LOG.debug(
                "[%s] < %d in %.3f s, %d characters: %s",
                trace,
                response.status,
                self._clock() - started,
                len(response.text),
                self._loggable(response) if loggable or not response.ok else "not logged",
            )
        if response.ok:
            self.masker.replaced(path, *secrets)
            if method == "DELETE":
                self.masker.gone(path)
        return response

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _loggable(self, response: HttpResponse) -> str:
        if response.body is None:
            return self.masker.text(response.text)[:200]
        return self.masker.body(response.body)

    @contextmanager
    def _mapped_errors(self, asked: str) -> Iterator[None]:
        """Map the errors of ``requests`` to ours; anything else is a bug and passes."""
        try:
            with self._complete(asked):
                yield
        except requests.exceptions.SSLError as exc:
            if _broke_off(exc):
                raise OutcomeUnknown(f"{asked}: the connection was closed during TLS") from exc
            _tls(self.settings)
            raise CertificateRefused(f"{asked}: {self._reason(exc)}{self._hint(exc)}") from exc
        except requests.exceptions.ConnectTimeout as exc:
            raise ClusterUnreachable(
                f"{asked}: no connection within {self.settings.connect_timeout:g} s"
            ) from exc
        except requests.exceptions.ReadTimeout as exc:
            raise OutcomeUnknown(
                f"{asked}: no response within {self.settings.read_timeout:g} s"
            ) from exc
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as exc:
            raise UnexpectedAnswer(f"{asked}: cannot be sent: {self._reason(exc)}") from exc
        except requests.exceptions.ConnectionError as exc:
            if _never_connected(exc):
                raise ClusterUnreachable(f"{asked}: {self._reason(exc)}") from exc
            raise OutcomeUnknown(
                f"{asked}: the connection was closed before a response: {self._reason(exc)}"
            ) from exc
        except requests.exceptions.RequestException as exc:
            raise OutcomeUnknown(f"{asked}: unreadable response: {self._reason(exc)}") from exc
        except OSError:
            # requests raises this, before sending, if a certificate file was removed.
            _tls(self.settings)
            raise

    @contextmanager
    def _complete(self, asked: str) -> Iterator[None]:
        try:
            yield
        except requests.exceptions.RequestException as exc:
            if not too_slow(exc):
                raise
            raise OutcomeUnknown(
                f"{asked}: no complete response within {self.settings.response_timeout:g} s"
            ) from exc

    def _hint(self, exc: requests.exceptions.SSLError) -> str:
        """A possible remedy where the cluster refused the handshake."""
        text = str(exc)
        if self._cert is None and ("HANDSHAKE_FAILURE" in text or "CERTIFICATE_REQUIRED" in text):
            return (
                f"; if the cluster asks for a client certificate, set "
                f"{self.settings.names.tls}client_cert"
            )
        return ""

    def _reason(self, exc: BaseException) -> str:
        """The innermost cause, which is what an operator can act on."""
        inner: BaseException = exc
        while True:
            cause = getattr(inner, "reason", None)
            if not isinstance(cause, BaseException) and inner.args:
                cause = inner.args[0]
            if not isinstance(cause, BaseException):
                break
            inner = cause
        words = self.masker.text(inner)
        # urllib3 prefixes the connection's repr, which is of no use.
        return words.split(": ", 1)[1] if " object at 0x" in words.split(": ", 1)[0] else words


def _pooled(seconds: float, clock: Callable[[], float]) -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(
            scheme,
            ResponseDeadline(
                seconds, clock, pool_connections=1, pool_maxsize=POOLED, max_retries=0
            ),
        )
    return session


def _tls(settings: ClusterSettings) -> tuple[bool | str, str | tuple[str, str] | None]:
    tls = settings.tls
    if not tls.enabled:
        return True, None
    for option, path in (
        ("ssl_cert_path", tls.ca_bundle if tls.verify else None),
        ("client_cert", tls.client_cert),
        ("client_cert_key", tls.client_key),
    ):
        if path and not os.access(path, os.R_OK):
            raise CertificateRefused(
                f"{settings.names.tls}{option}: the file {path} does not exist or is not readable"
            )
    cert: str | tuple[str, str] | None = tls.client_cert
    if tls.client_cert and tls.client_key:
        cert = (tls.client_cert, tls.client_key)
    return (tls.ca_bundle or True) if tls.verify else False, cert


def _never_connected(exc: requests.exceptions.ConnectionError) -> bool:
    """Whether it failed before anything was sent."""
    cause = exc.args[0] if exc.args else None
    if isinstance(cause, urllib3.exceptions.MaxRetryError):
        cause = cause.reason
    return isinstance(
        cause,
        (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError),
    )


def _broke_off(exc: requests.exceptions.SSLError) -> bool:
    text = str(exc)
    return "EOF" in text and "CERTIFICATE" not in text.upper()
