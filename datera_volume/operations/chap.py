# SPDX-License-Identifier: Apache-2.0
"""CHAP credentials for each volume, derived and stored nowhere.

A secret is derived from the configured one and the id of the volume's app instance, which does not
change when a migration renames the volume. The user is derived too: a cluster never shows a secret,
but shows the user, which tells which secret is in use.

Credentials are not changed while a host has access: its next iSCSI login, after a network failure,
must succeed with those that it was given.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field

from oslo_log import log as logging

from datera_volume.connection import AppInstance, RequestRefused

LOG = logging.getLogger(__name__)

NO_AUTH = "none"

# Sixteen characters of 64 are 96 bits, which is what RFC 7143 asks of a secret for CHAP.
_SECRET_BYTES = 12
_TAG_BYTES = 9
_LONGEST_USER = 64
_TWO_OTHERS = b"._"


class SecretUnknown(RequestRefused):
    """An attached volume has a CHAP user whose secret is unknown here."""


@dataclass(frozen=True)
class Credentials:
    """A CHAP user and its secret."""

    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Chap:
    """CHAP as a backend's section sets it.

    :param common: the configured credentials.
    :param per_volume: use credentials of its own for each volume instead.
    :param asked: require CHAP; if not, it is used only for volumes still attached with it.
    """

    common: Credentials
    per_volume: bool = True
    asked: bool = True

    def of(self, ai: AppInstance) -> Credentials:
        """Return an app instance's own credentials."""
        tag = self._derived("user", ai.id, _TAG_BYTES)
        user = self.common.username[: _LONGEST_USER - len(tag) - 1]
        return Credentials(f"{user}-{tag}", self._derived("secret", ai.id, _SECRET_BYTES))

    def _derived(self, what: str, ai_id: str, size: int) -> str:
        message = f"datera-chap-{what}:{ai_id}".encode()
        digest = hmac.digest(self.common.secret.encode(), message, "sha256")
        return base64.b64encode(digest[:size], altchars=_TWO_OTHERS).decode()


@dataclass(frozen=True)
class Terms:
    """How a host logs in.

    :param credentials: None: without CHAP.
    :param to_set: whether they must be set on the cluster first.
    """

    credentials: Credentials | None
    to_set: bool


def terms_of(ai: AppInstance, chap: Chap | None) -> Terms:
    """Return how the next host logs in: as attached hosts do, if there are any.

    :raises SecretUnknown: they use an unknown secret.
    """
    storage = ai.storage_instance
    wanted = _wanted(ai, chap)
    if not _in_use(ai, chap):
        # Each time: the current secret cannot be read, and may be an older one.
        return Terms(wanted, to_set=wanted is not None or storage.auth_type != NO_AUTH)
    if storage.auth_type == NO_AUTH:
        if wanted is not None:
            LOG.warning(
                "%s was attached before CHAP was required; it stays without until it is detached "
                "from every host",
                ai.name,
            )
        return Terms(None, to_set=False)
    for credentials in [] if chap is None else (chap.of(ai), chap.common):
        if credentials.username == storage.auth_user:
            return Terms(credentials, to_set=False)
    raise SecretUnknown(
        f"{ai.name} is attached with the CHAP user {storage.auth_user!r}, whose secret "
        f"cannot be derived from chap_username and chap_password of this backend: restore the "
        f"previous values, or detach it from every host first"
    )


def _wanted(ai: AppInstance, chap: Chap | None) -> Credentials | None:
    if chap is None or not chap.asked:
        return None
    # Other users of a volume that is open to all can know the configured credentials only.
    common = ai.storage_instance.open_to_all or not chap.per_volume
    return chap.common if common else chap.of(ai)


def _in_use(ai: AppInstance, chap: Chap | None) -> bool:
    storage = ai.storage_instance
    if storage.open_to_all:
        # Unknown. Only the common credentials were ever handed out; a clone may have others.
        given = "" if chap is None else chap.common.username
        return storage.auth_type != NO_AUTH and storage.auth_user == given
    return storage.has_initiators
