# SPDX-License-Identifier: Apache-2.0
"""Making tenants that are missing."""

from __future__ import annotations

from datera_volume.connection import tracing
from datera_volume.connection.asking import Asking
from datera_volume.connection.errors import (
    AlreadyOnCluster,
    NotOnCluster,
    OutcomeUnknown,
    PermissionRefused,
    RequestInvalid,
    UnexpectedAnswer,
)
from datera_volume.connection.paths import ROOT

LOG = tracing.logger(__name__)

COLLECTION = "/tenants"


def ensure(asking: Asking) -> None:
    """Make the tenant, and those above it, where they are missing.

    :raises PermissionRefused: it is missing and this user may not make it.
    """
    if asking.tenant == ROOT or exists(asking) is not False:
        return
    parent, name = asking.tenant.rsplit("/", 1)
    above = Asking(asking.link, parent, asking.patience)
    ensure(above)
    body = {"name": name}
    if parent != ROOT:
        body["parent_path"] = parent
    try:
        above.post(COLLECTION, body)
    except AlreadyOnCluster:
        return
    except (OutcomeUnknown, UnexpectedAnswer):
        if exists(asking) is False:
            raise
    except (PermissionRefused, RequestInvalid) as exc:
        raise PermissionRefused(
            f"The tenant {asking.tenant} does not exist and could not be made: {exc}"
        ) from exc
    LOG.info("Made the tenant %s", asking.tenant)


def paths(asking: Asking) -> list[str]:
    """Return the paths of all tenants that this user may see, ``/root`` first."""
    found = {str(item.get("path", "")) for item in asking.all(COLLECTION)}
    # Some products write the collection's name before the path.
    found = {path.removeprefix(COLLECTION) for path in found} - {ROOT}
    return [ROOT, *sorted(path for path in found if path.startswith(f"{ROOT}/"))]


def exists(asking: Asking) -> bool | None:
    """Whether the tenant is there; None if this user may not look."""
    try:
        asking.get(COLLECTION + asking.tenant)
    except NotOnCluster:
        return False
    except PermissionRefused as exc:
        # Whoever works in a tenant need not be allowed to look at tenants.
        LOG.debug("Whether there is a tenant %s is not known: %s", asking.tenant, exc)
        return None
    return True
