# SPDX-License-Identifier: Apache-2.0
"""The groups that an array's description sorts its endpoints into."""

from __future__ import annotations

_OPERATING = "app_storage_ops"
_PROVISIONING = "app_storage_provisioning"
_BY_COLLECTION = {
    "access_network_ip_pools": "resource_allocation",
    "app_instances": _PROVISIONING,
    "app_templates": "app_storage_design",
    "initiator_groups": _PROVISIONING,
    "initiators": _PROVISIONING,
    "login": "session",
    "logout": "session",
    "metrics": "monitoring",
    # No array's description that has these was recorded.
    "placement_policies": "resource_allocation",
    "roles": "user_mgmt",
    "storage_nodes": "storage_node_ops",
    "system": "system_mgmt",
    "tenants": "tenant_mgmt",
    "userinfo": "session",
    "users": "user_mgmt",
}
# By the end of a path below app instances, what belongs to their operation.
_OPERATED = (
    "/auth",
    "/snapshot_policies/:snapshot_policy_name",
    "/snapshots",
    "/snapshots/:timestamp",
    "/volumes/:volume_name",
)
_STORAGE_INSTANCE = "/storage_instances/:storage_instance_name"

GROUPS = sorted({*_BY_COLLECTION.values(), _OPERATING, "other"})


def group_of(template: str, verb: str) -> str:
    """Return the group of an endpoint; "other" where it is in none."""
    collection = template.split("/")[1]
    if collection == "app_instances":
        if template.endswith(_OPERATED):
            return _OPERATING
        if template.endswith(_STORAGE_INSTANCE) and verb != "update":
            return _OPERATING
    return _BY_COLLECTION.get(collection, "other")
