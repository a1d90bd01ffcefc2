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
from requests.adapters import HTTPAdapter

from datera_volume.connection import tracing
from datera_volume.connection.answers import Answer
from datera_volume.connection.errors import (
    CertificateRefused,
    ClusterUnreachable,
    OutcomeUnknown,
    UnexpectedAnswer,
)
from datera_volume.connection.masking import Masker, secrets_in
from datera_volume.connection.settings import ClusterSettings

LOG = logging.getLogger(__name__)

# More threads than this at once still work; their connections are not kept afterwards.
POOLED = 32


class Wire:
    """Sends one request and returns one answer; knows nothing of logins, tenants and retries.

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
        self._session = session or _pooled()
        # Another driver in this process may point the environment at a proxy that is not ours.
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
                "The password and everything else goes to the Datera cluster %s in clear; set "
                "%suse_ssl to True to speak HTTPS.",
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
    ) -> Answer:
        """Send one request and return its answer, whatever its status.

        :param path: escaped, with the version where there is one.
        :param loggable: False for bodies of which nothing at all may be logged.
        :raises ClusterUnreachable: nothing was sent, for no connection came about.
        :raises CertificateRefused: TLS was not agreed on.
        :raises OutcomeUnknown: it was sent, and no complete answer came.
        """
        trace = tracing.mark()
        asked = f"{method} {path} at {self.settings.address}"
        self.masker.learn(*secrets_in(body))
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
            with self._translated(asked):
                response = self._session.request(
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
                answer = Answer.of(response.status_code, response.reason, response.content)
        except Exception as exc:
            LOG.debug(
                "[%s] ! %s after %.3f s", trace, self.masker.text(exc), self._clock() - started
            )
            raise
        finally:
            tracing.spent(self._clock() - started)
        LOG.debug(
            "[%s] < %d in %.3f s, %d characters: %s",
            trace,
            answer.status,
            self._clock() - started,
            len(answer.text),
            self._loggable(answer) if loggable or not answer.ok else "not logged",
        )
        return answer

    def close(self) -> None:
        """Give all connections back."""
        self._session.close()

    def _loggable(self, answer: Answer) -> str:
        if answer.body is None:
            return self.masker.text(answer.text)[:200]
        return self.masker.body(answer.body)

    @contextmanager
    def _translated(self, asked: str) -> Iterator[None]:
        """Turn what ``requests`` raises into our errors; anything else is a bug and passes."""
        try:
            yield
        except requests.exceptions.SSLError as exc:
            if _broke_off(exc):
                raise OutcomeUnknown(f"{asked}: the connection broke off inside TLS") from exc
            _tls(self.settings)
            raise CertificateRefused(f"{asked}: {self._reason(exc)}{self._hint(exc)}") from exc
        except requests.exceptions.ConnectTimeout as exc:
            raise ClusterUnreachable(
                f"{asked}: no connection within {self.settings.connect_timeout:g} s"
            ) from exc
        except requests.exceptions.ReadTimeout as exc:
            raise OutcomeUnknown(
                f"{asked}: no answer within {self.settings.read_timeout:g} s"
            ) from exc
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as exc:
            raise UnexpectedAnswer(f"{asked}: cannot be sent: {self._reason(exc)}") from exc
        except requests.exceptions.ConnectionError as exc:
            if _never_connected(exc):
                raise ClusterUnreachable(f"{asked}: {self._reason(exc)}") from exc
            raise OutcomeUnknown(
                f"{asked}: the connection broke off before an answer: {self._reason(exc)}"
            ) from exc
        except requests.exceptions.RequestException as exc:
            raise OutcomeUnknown(f"{asked}: no readable answer: {self._reason(exc)}") from exc
        except OSError:
            # So says requests, before it sends anything, where a certificate's file has vanished.
            _tls(self.settings)
            raise

    def _hint(self, exc: requests.exceptions.SSLError) -> str:
        """What may help where the cluster is the side that refused."""
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
        # urllib3 begins with the connection's repr, which helps nobody.
        return words.split(": ", 1)[1] if " object at 0x" in words.split(": ", 1)[0] else words


def _pooled() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=POOLED, max_retries=0))
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
                f"{settings.names.tls}{option}: the file {path} is not there or not readable"
            )
    cert: str | tuple[str, str] | None = tls.client_cert
    if tls.client_cert and tls.client_key:
        cert = (tls.client_cert, tls.client_key)
    return (tls.ca_bundle or True) if tls.verify else False, cert


def _never_connected(exc: requests.exceptions.ConnectionError) -> bool:
    """Whether the failure came before a single byte was sent."""
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
