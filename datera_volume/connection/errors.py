# SPDX-License-Identifier: Apache-2.0
"""All errors that the connection layer raises.

Every message names the request, the cluster (host and port) and its response; none contains a
password, a session key or a CHAP secret.
"""

from __future__ import annotations

from collections.abc import Iterator


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what caused it, what caused that, and so on, each once.

    A chain may lead back to where it began: some code raises again what it caught before.
    """
    seen: list[BaseException] = []
    while error is not None and not any(error is one for one in seen):
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__


class Retriable(Exception):
    """Mixin: the request had no effect, so repeating it later is safe."""


class DateraError(Exception):
    """Any failure of the cluster, or of the connection to it."""


class SdkMissing(DateraError):
    """The package ``dfs_sdk`` is not installed."""

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message or "The Datera SDK is not installed; install it with: pip install dfs_sdk"
        )


class ClusterUnreachable(DateraError, Retriable):
    """No connection was established, or a read-only request was never answered."""


class ClusterBusy(DateraError, Retriable):
    """The cluster reported that it is busy until the busy timeout was exhausted."""


class SessionEnded(DateraError, Retriable):
    """The cluster did not accept a session that it had just issued, nor the one after it."""


class CertificateRefused(DateraError):
    """The TLS handshake failed: a certificate is not trusted, or cannot be read."""


class VersionNotOffered(DateraError):
    """The cluster does not offer the API version that was configured."""


class LoginRefused(DateraError):
    """The cluster refused this name and password."""


class PermissionRefused(DateraError):
    """The user lacks the permission for this, or in this tenant."""


class OutcomeUnknown(DateraError):
    """The request was sent and no response came: it may or may not have been carried out."""


class NotReadyInTime(DateraError):
    """The cluster accepted a change that did not take effect before the deadline."""


class NotOnCluster(DateraError):
    """What was asked for does not exist in this tenant."""


class AbsenceUnproven(DateraError):
    """An object is not found, and nothing proves that it is gone."""


class TenantMissing(AbsenceUnproven):
    """The tenant that it was in does not exist either."""


class AlreadyOnCluster(DateraError):
    """An object of that name exists already, or the change has been made already."""


class RequestRefused(DateraError):
    """The cluster understood the request and refused it.

    ``code`` is the cluster's own number for the reason, if it gave one.
    """

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class RequestInvalid(RequestRefused):
    """A value in the request is not one that the cluster accepts."""


class LimitReached(RequestRefused):
    """The cluster has reached its limit for this kind of object."""


class ClusterFault(DateraError):
    """The cluster had an internal error while processing the request."""


class UnexpectedAnswer(DateraError):
    """The response is not one that this layer understands."""
