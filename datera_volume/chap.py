# SPDX-License-Identifier: Apache-2.0
"""What hosts must know to log in to a volume: a secret of its own, which is stored nowhere.

It is derived from the configured one and the id of the volume's app instance, which stays when a
migration gives the volume another name. The user is derived too: a cluster never tells a secret,
but does tell the user, and by that it is known which secret is in force.

What is in force stays so while a host is let in: its next login, after a moment without network,
must find what it was given.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field

from oslo_log import log as logging

from datera_volume.connection import AppInstance, RequestRefused

LOG = logging.getLogger(__name__)

SECRET_LENGTHS = range(12, 17)
NO_AUTH = "none"

# Sixteen characters of 64 are 96 bits, which is what RFC 7143 asks of a secret for CHAP.
_SECRET_BYTES = 12
_TAG_BYTES = 9
_LONGEST_USER = 64
_TWO_OTHERS = b"._"


class SecretUnknown(RequestRefused):
    """A volume in use has a CHAP user whose secret is not known here."""


@dataclass(frozen=True)
class Login:
    """A user and a secret."""

    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Chap:
    """CHAP as a backend's section has it.

    :param common: what the section says.
    :param per_volume: give each volume a login of its own instead.
    :param asked: ask for it; if not, it only tells how to log in to what is still in use with it.
    """

    common: Login
    per_volume: bool = True
    asked: bool = True

    def of(self, ai: AppInstance) -> Login:
        """Return an app instance's own login."""
        tag = self._derived("user", ai.id, _TAG_BYTES)
        user = self.common.username[: _LONGEST_USER - len(tag) - 1]
        return Login(f"{user}-{tag}", self._derived("secret", ai.id, _SECRET_BYTES))

    def _derived(self, what: str, ai_id: str, size: int) -> str:
        message = f"datera-chap-{what}:{ai_id}".encode()
        digest = hmac.digest(self.common.secret.encode(), message, "sha256")
        return base64.b64encode(digest[:size], altchars=_TWO_OTHERS).decode()


@dataclass(frozen=True)
class Terms:
    """How a host logs in.

    :param login: None: without CHAP.
    :param to_set: whether the cluster has to be told so first.
    """

    login: Login | None
    to_set: bool


def terms_of(ai: AppInstance, chap: Chap | None) -> Terms:
    """Return how the next host logs in to an app instance: as those do who are in, if any are.

    :raises SecretUnknown: they log in with a secret that cannot be known here.
    """
    storage = ai.storage_instance
    wanted = _wanted(ai, chap)
    if not _in_use(ai, chap):
        # Each time: the secret that stands there cannot be read, and may be an older one.
        return Terms(wanted, to_set=wanted is not None or storage.auth_type != NO_AUTH)
    if storage.auth_type == NO_AUTH:
        if wanted is not None:
            LOG.warning(
                "%s was attached before CHAP was asked for; it stays without until no host is left",
                ai.name,
            )
        return Terms(None, to_set=False)
    for login in [] if chap is None else (chap.of(ai), chap.common):
        if login.username == storage.auth_user:
            return Terms(login, to_set=False)
    raise SecretUnknown(
        f"{ai.name} is attached with the CHAP user {storage.auth_user!r}, whose secret does not "
        f"follow from chap_username and chap_password of this backend: set them as they were, or "
        f"detach it from every host first"
    )


def _wanted(ai: AppInstance, chap: Chap | None) -> Login | None:
    if chap is None or not chap.asked:
        return None
    # Who else uses a volume that is open to all can know no other login than the common one.
    common = ai.storage_instance.open_to_all or not chap.per_volume
    return chap.common if common else chap.of(ai)


def _in_use(ai: AppInstance, chap: Chap | None) -> bool:
    storage = ai.storage_instance
    if storage.open_to_all:
        # Nobody here knows. Only the common login was ever given away; a copy may have another.
        given = "" if chap is None else chap.common.username
        return storage.auth_type != NO_AUTH and storage.auth_user == given
    return bool(storage.initiators or storage.initiator_groups)
