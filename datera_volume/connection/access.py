# SPDX-License-Identifier: Apache-2.0
"""Who may log in to a storage instance: initiators, access lists and CHAP."""

from __future__ import annotations

import re
from typing import Any

from datera_volume.connection import tracing
from datera_volume.connection.asking import Asking
from datera_volume.connection.errors import (
    AlreadyOnCluster,
    DateraError,
    NotOnCluster,
    OutcomeUnknown,
    RequestRefused,
    UnexpectedAnswer,
)
from datera_volume.connection.model import StorageInstanceRef
from datera_volume.connection.paths import child
from datera_volume.connection.reading import initiators_in

LOG = tracing.logger(__name__)

CREATE_ATTEMPTS = 2
INITIATORS = "/initiators"
SECRET_LENGTHS = range(12, 17)


def allow(asking: Asking, si: StorageInstanceRef, iqn: str, name: str) -> None:
    """Let an initiator in; one that is in already stays in.

    :raises OutcomeUnknown, UnexpectedAnswer: it is not there, after every attempt to make it ended
        without a word that it was made.
    :raises NotOnCluster: there is no such storage instance.
    """
    path = child(INITIATORS, iqn)
    doubt = _ensure(asking, path, iqn, name)
    try:
        asking.put(child(si.path, "acl_policy", "initiators"), {"op": "add", "path": path})
    except AlreadyOnCluster:
        return
    except NotOnCluster as exc:
        if doubt is None:
            raise
        # Not a word about the storage instance: it is the initiator that was never made.
        raise doubt from exc
    except RequestRefused:
        # Some products refuse instead of conflicting; what counts is whether it is in.
        if iqn not in _allowed(asking, si):
            raise


def deny(asking: Asking, si: StorageInstanceRef, iqn: str) -> None:
    """Let an initiator in no longer; one that is not in is no error.

    :raises NotOnCluster: there is no such storage instance.
    """
    path = child(INITIATORS, iqn)
    try:
        asking.put(child(si.path, "acl_policy", "initiators"), {"op": "remove", "path": path})
    except (NotOnCluster, AlreadyOnCluster, RequestRefused):
        if iqn in _allowed(asking, si):
            raise


def set_chap(asking: Asking, si: StorageInstanceRef, user: str | None, secret: str | None) -> None:
    """Ask initiators for this user and secret; None asks for nothing.

    :raises ValueError: the secret's length is not one that the cluster accepts.
    """
    if not user or not secret:
        asking.put(child(si.path, "auth"), {"type": "none"})
        return
    if len(secret) not in SECRET_LENGTHS:
        raise ValueError("a CHAP secret has 12 to 16 characters")
    asking.put(
        child(si.path, "auth"),
        {"type": "chap", "target_user_name": user, "target_pswd": secret},
    )


def _ensure(asking: Asking, path: str, iqn: str, name: str) -> DateraError | None:
    """Make this tenant's own initiator where it is missing; return why it may still be.

    A tenant sees its parent's initiators too, but must not use them.
    """
    doubt: DateraError | None = None
    try:
        fields = asking.get(path)
        if fields.get("tenant", asking.tenant) == asking.tenant:
            return None
    except NotOnCluster:
        pass
    body: dict[str, Any] = {"id": iqn, "name": _initiator_name(name)}
    if asking.dialect.initiator_force:
        body["force"] = True
    for _attempt in range(CREATE_ATTEMPTS):
        try:
            asking.post(INITIATORS, body)
        except AlreadyOnCluster:
            # Made by a request whose answer was lost, or for another attachment to this host.
            return None
        except (OutcomeUnknown, UnexpectedAnswer) as exc:
            # Made twice, it is there once; whether it is there, adding it will tell.
            LOG.warning("Whether initiator %s was made is not known: %s", iqn, exc)
            doubt = exc
        else:
            return None
    return doubt


def _allowed(asking: Asking, si: StorageInstanceRef) -> tuple[str, ...]:
    return initiators_in(asking.get(child(si.path, "acl_policy")))


def _initiator_name(name: str) -> str:
    """Return a name as the cluster takes it: 3 to 128 of letters, digits, blanks and ``_-.``."""
    plain = re.sub(r"[^A-Za-z0-9_\-. ]", "-", name)
    return plain[:128] if re.match(r"[A-Za-z_].{2}", plain) else f"host-{plain}"[:128]
