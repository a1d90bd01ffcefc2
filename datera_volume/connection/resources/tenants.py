# SPDX-License-Identifier: Apache-2.0
"""The tenants of a cluster: listing them, and creating those that are missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datera_volume.connection.cluster_limits import room_for
from datera_volume.connection.errors import (
    AlreadyOnCluster,
    NotOnCluster,
    OutcomeUnknown,
    PermissionRefused,
    RequestInvalid,
    UnexpectedAnswer,
)
from datera_volume.connection.resources.adapter import TenantAdapter
from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.paths import ROOT

LOG = tracing.logger(__name__)

COLLECTION = "/tenants"
FREE_TENANTS = "Remove empty tenants, or let projects share one"


def ensure(adapter: TenantAdapter) -> None:
    """Create the tenant, and those above it, as :meth:`Tenant.ensure` promises."""
    if adapter.tenant == ROOT:
        return
    found = exists(adapter)
    if not (_lists(adapter) if found is None else found):
        _create(adapter)


def _lists(adapter: TenantAdapter) -> bool:
    """Whether the tenant can be used: the cluster lists nothing in one that does not exist.

    :raises PermissionRefused: this user may not even list there.
    """
    try:
        adapter.some("/app_instances", limit=1)
    except NotOnCluster:
        return False
    return True


def _create(adapter: TenantAdapter) -> None:
    parent, name = adapter.tenant.rsplit("/", 1)
    above = TenantAdapter(adapter.session, parent, adapter.poller)
    if parent != ROOT and exists(above) is False:
        _create(above)
    body = {"name": name}
    if parent != ROOT:
        body["parent_path"] = parent
    try:
        with room_for(f"tenant {adapter.tenant}", FREE_TENANTS):
            above.post(COLLECTION, body)
    except AlreadyOnCluster:
        return
    except (OutcomeUnknown, UnexpectedAnswer):
        if exists(adapter) is False:
            raise
    except (PermissionRefused, RequestInvalid) as exc:
        raise PermissionRefused(
            f"The tenant {adapter.tenant} does not exist and could not be created: {exc}"
        ) from exc
    LOG.info("Created the tenant %s", adapter.tenant)


def paths(adapter: TenantAdapter) -> list[str]:
    """Return the paths of all tenants that this user may see, ``/root`` first.

    :raises UnexpectedAnswer: one of them has none.
    """
    found = {_path_of(item) for item in adapter.all(COLLECTION)}
    # Some products write the collection's name before the path.
    found = {path.removeprefix(COLLECTION) for path in found} - {ROOT}
    return [ROOT, *sorted(path for path in found if path.startswith(f"{ROOT}/"))]


def _path_of(item: Mapping[str, Any]) -> str:
    path = item.get("path")
    if not isinstance(path, str) or not path:
        raise UnexpectedAnswer(f"A tenant's path is {path!r} (name {item.get('name')!r})")
    return path


def exists(adapter: TenantAdapter) -> bool | None:
    """Whether the tenant exists; None if this user may not read tenants."""
    try:
        adapter.get(COLLECTION + adapter.tenant)
    except NotOnCluster:
        return False
    except PermissionRefused as exc:
        # A user of a tenant may lack the permission to read tenants.
        LOG.debug("Whether tenant %s exists is unknown: %s", adapter.tenant, exc)
        return None
    return True
