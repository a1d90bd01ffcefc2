# SPDX-License-Identifier: Apache-2.0
"""Prove that an object is gone from a tenant.

A single 404 proves nothing: a cluster responds so to any request in a tenant that does not exist,
and a proxy or a restarting node to any request at all. Taking it for "gone" would delete a record
whose data remain. An object is gone if a tenant that exists does not list it, twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from datera_volume.connection.errors import AbsenceUnproven, NotOnCluster, TenantMissing
from datera_volume.connection.resources.model import AppInstance
from datera_volume.connection.resources.tenant import Tenant

LISTINGS = 2
"""How many listings must lack an object before it is taken for gone."""

Item = TypeVar("Item")


def listed(tenant: Tenant, sought: Callable[[AppInstance], bool]) -> list[AppInstance]:
    """Return a tenant's matching app instances; an empty list proves that they are gone.

    :raises TenantMissing: the cluster has no such tenant.
    :raises AbsenceUnproven: the cluster does not list it.
    """

    def look() -> list[AppInstance]:
        # A user of a tenant may lack the permission to read tenants (None); its listing counts
        # all the same, since a tenant that does not exist returns an error, not a listing.
        if tenant.exists() is False:
            raise TenantMissing(f"cluster {tenant.address} has no tenant {tenant.path}")
        # Unfiltered: the cluster's filter is not reliable enough here.
        return tenant.app_instances()

    return proven(
        look,
        lambda ai: sought(ai) and (not ai.tenant or ai.tenant == tenant.path),
        f"cluster {tenant.address} does not list tenant {tenant.path}",
    )


def proven(
    look: Callable[[], list[Item]], sought: Callable[[Item], bool], silent: str
) -> list[Item]:
    """Return the matching items of a listing; an empty list proves that there are none.

    :param look: lists the items.
    :param sought: whether an item matches.
    :param silent: the error message where the cluster does not return the listing.
    :raises AbsenceUnproven: it does not.
    """
    for _listing in range(LISTINGS):
        try:
            found = [item for item in look() if sought(item)]
        except NotOnCluster as exc:
            raise AbsenceUnproven(f"{silent} ({exc})") from exc
        if found:
            return found
    return []
