# SPDX-License-Identifier: Apache-2.0
"""Who may log in to a storage instance: initiators, access lists and CHAP."""

from __future__ import annotations

import re
from typing import Any

from datera_volume.connection import tracing
from datera_volume.connection.asking import Asking
from datera_volume.connection.errors import (
    AlreadyOnCluster,
    NotOnCluster,
    OutcomeUnknown,
    RequestRefused,
    UnexpectedAnswer,
)
from datera_volume.connection.model import StorageInstanceRef
from datera_volume.connection.paths import child
from datera_volume.connection.reading import initiator_in

LOG = tracing.logger(__name__)

CREATE_ATTEMPTS = 2
INITIATORS = "/initiators"
SECRET_LENGTHS = range(12, 17)


def allow(asking: Asking, si: StorageInstanceRef, iqn: str, name: str) -> None:
    """Let an initiator in; one that is in already stays in."""
    path = _known(asking, iqn, name)
    try:
        asking.put(child(si.path, "acl_policy", "initiators"), {"op": "add", "path": path})
    except AlreadyOnCluster:
        return
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


def _known(asking: Asking, iqn: str, name: str) -> str:
    """Return the path of this tenant's own initiator, made where it is missing.

    A tenant sees its parent's initiators too, but must not use them.
    """
    path = child(INITIATORS, iqn)
    try:
        fields = asking.get(path)
        if fields.get("tenant", asking.tenant) == asking.tenant:
            return path
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
            break
        except (OutcomeUnknown, UnexpectedAnswer) as exc:
            # Made twice, it is there once; whether it is there, adding it will tell.
            LOG.warning("Whether initiator %s was made is not known: %s", iqn, exc)
        else:
            break
    return path


def _allowed(asking: Asking, si: StorageInstanceRef) -> list[str]:
    acl = asking.get(child(si.path, "acl_policy"))
    initiators = acl.get("initiators")
    return [
        initiator_in(str(item.get("path", "")))
        for item in (initiators if isinstance(initiators, list) else [])
        if isinstance(item, dict)
    ]


def _initiator_name(name: str) -> str:
    """Return a name as the cluster takes it: 3 to 128 of letters, digits, blanks and ``_-.``."""
    plain = re.sub(r"[^A-Za-z0-9_\-. ]", "-", name)
    return plain[:128] if re.match(r"[A-Za-z_].{2}", plain) else f"host-{plain}"[:128]
