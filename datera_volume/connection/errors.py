# SPDX-License-Identifier: Apache-2.0
"""The one family of errors that the connection layer raises.

Every text says what was asked, of which cluster (host and port), and what it answered; none holds a
password, a session's key or a CHAP secret.
"""

from __future__ import annotations


class Retriable(Exception):
    """Mixin: the request had no effect, so repeating it later is safe."""


class DateraError(Exception):
    """Anything that the cluster, or the way to it, did wrong."""


class SdkMissing(DateraError):
    """The package ``dfs_sdk`` is not installed."""

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message or "The Datera SDK is not installed; install it with: pip install dfs_sdk"
        )


class ClusterUnreachable(DateraError, Retriable):
    """No connection came about, or a question that changes nothing was never answered."""


class ClusterBusy(DateraError, Retriable):
    """The cluster said for as long as we were willing to ask that it is busy."""


class SessionEnded(DateraError, Retriable):
    """The cluster gave a session and no longer knew it when it was used, and a second one too."""


class CertificateRefused(DateraError):
    """The two sides did not agree on TLS: a certificate is not trusted, or cannot be read."""


class VersionNotOffered(DateraError):
    """The cluster does not offer the API version that was configured."""


class LoginRefused(DateraError):
    """The cluster refused this name and password."""


class PermissionRefused(DateraError):
    """The user may not do this, or not in this tenant."""


class OutcomeUnknown(DateraError):
    """The request was sent and no answer came: it may or may not have been carried out."""


class NotReadyInTime(DateraError):
    """The cluster accepted a change that did not take effect before the deadline."""


class NotOnCluster(DateraError):
    """What was asked for does not exist in this tenant."""


class AlreadyOnCluster(DateraError):
    """Something of that name, or the same change, is already there."""


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
    """The cluster has as many of something as it takes."""


class ClusterFault(DateraError):
    """The cluster failed inside while working on the request."""


class UnexpectedAnswer(DateraError):
    """What came back is not an answer that this layer understands."""
