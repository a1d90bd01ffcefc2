# SPDX-License-Identifier: Apache-2.0
"""What bodies about app templates must look like."""

from __future__ import annotations

from datera_emulator.api.schemas import (
    AUTH_WITHIN,
    DESCRIPTION,
    NAME,
    PATH,
    PERFORMANCE,
    PLACEMENT,
    REPLICAS,
    SNAPSHOT_POLICIES,
    STRING,
    Schema,
    closed,
    integer,
    list_of,
)

_VOLUME: dict[str, Schema] = {
    "size": integer(1, 262144),
    "replica_count": REPLICAS,
    "placement_mode": PLACEMENT,
}
VOLUME_TEMPLATE_CREATE = closed(("name", "size"), name=NAME, **_VOLUME)
VOLUME_TEMPLATE_UPDATE = closed((), **_VOLUME)
_VOLUMES_WITHIN = list_of(
    closed(
        ("name", "size"),
        name=NAME,
        performance_policy=PERFORMANCE,
        snapshot_policies=SNAPSHOT_POLICIES,
        **_VOLUME,
    )
)
_STORAGE: dict[str, Schema] = {
    "volume_templates": _VOLUMES_WITHIN,
    "auth": AUTH_WITHIN,
    "ip_pool": STRING,
}
STORAGE_TEMPLATE_CREATE = closed(("name",), name=NAME, **_STORAGE)
_APP: dict[str, Schema] = {
    "descr": DESCRIPTION,
    "storage_templates": list_of(STORAGE_TEMPLATE_CREATE),
    "snapshot_policies": SNAPSHOT_POLICIES,
}
APP_TEMPLATE_CREATE = closed(("name",), name=NAME, copy_from=PATH, **_APP)
APP_TEMPLATE_UPDATE = closed((), **_APP)
STORAGE_TEMPLATE_UPDATE = closed((), **_STORAGE)
