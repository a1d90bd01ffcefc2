# SPDX-License-Identifier: Apache-2.0
"""What a caller may do, asked once for each request."""

from __future__ import annotations

from datera_emulator.api.routing import Route
from datera_emulator.errors import PermissionDenied
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.users import Caller

_ADMINISTERED = ("user", "tenant")


def check_permission(cluster: Cluster, caller: Caller, route: Route, tenant: str) -> None:
    """Refuse what the caller's roles and tenants do not allow.

    :raises PermissionDenied: with the status that the switches choose.
    """
    status = int(cluster.switches.permission_status)
    if route.entity == "session":
        return
    privilege = "read" if route.method == "GET" else "write"
    if privilege == "write" and route.entity in _ADMINISTERED:
        privilege = "administer"
    if not caller.may(privilege):
        raise PermissionDenied(
            f"User {caller.user_id} may not {route.method} {route.template}", status=status
        )
    # Creating a tenant outside of the caller's own has another error.
    elsewhere = route.entity == "tenant" and route.method == "POST"
    if not elsewhere and not caller.reaches(tenant):
        raise PermissionDenied(
            f"User {caller.user_id} does not belong to tenant {tenant}", status=status
        )
