# SPDX-License-Identifier: Apache-2.0
"""Changes of a volume: size, replica count, placement and QoS limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datera_volume.connection.dialect import Dialect
from datera_volume.connection.errors import NotOnCluster, PermissionRefused
from datera_volume.connection.resources.adapter import SETTLE_SECONDS, Fields, TenantPart
from datera_volume.connection.resources.changing import DOUBTFUL, change_volume, sure
from datera_volume.connection.resources.model import VolumeRef
from datera_volume.connection.resources.parsing import name_in, performance_limits_in, size_in
from datera_volume.connection.transport.paths import child, last_segment

LIMIT_NAMES = tuple(
    f"{kind}_{unit}_max" for kind in ("total", "read", "write") for unit in ("iops", "bandwidth")
)
RESIZING = "volume_resize_in_progress"


class Volumes(TenantPart):
    """Volumes of a tenant."""

    def resize_volume(self, ref: VolumeRef, gib: int) -> None:
        """Extend the volume to this size in GiB, and return once it has it.

        :raises RequestRefused: the cluster does not allow it, or not while it is online.
        :raises NotReadyInTime: it was accepted, and the volume is smaller at the deadline.
        """

        def is_so(fields: Fields) -> bool:
            return size_in(fields) >= gib

        def done(fields: Fields) -> bool:
            return is_so(fields) and fields.get("op_status") != RESIZING

        what = f"extending {ref.path} to {gib} GiB"
        shown = change_volume(self._adapter, ref, {"size": gib}, is_so, what)
        if "size" not in shown or not done(shown):
            self._adapter.poller.until(
                lambda: self._adapter.get(ref.path),
                done,
                seconds=SETTLE_SECONDS,
                what=f"the cluster to complete {what}",
                # It was accepted and cannot be undone: a single 404 or permission error proves
                # nothing.
                forgive=(*DOUBTFUL, NotOnCluster, PermissionRefused),
            )

    def set_replica_count(self, ref: VolumeRef, count: int) -> None:
        """Increase the replica count; the cluster copies in the background.

        :raises RequestRefused: the cluster does not allow it, or not while it is online.
        """
        change_volume(
            self._adapter,
            ref,
            {"replica_count": count},
            lambda fields: fields.get("replica_count") == count,
            f"setting the replica count of {ref.path} to {count}",
        )

    def set_placement(self, ref: VolumeRef, mode: str | None, policy: str | None) -> None:
        """Set the placement policy where the cluster has those, else the mode; data moves later."""
        body = placement_field(self._adapter.dialect, mode, policy)

        def is_so(fields: Fields) -> bool:
            if "placement_policy" in body:
                return name_in(fields.get("placement_policy")) == name_in(body["placement_policy"])
            return fields.get("placement_mode") == mode

        if body:
            change_volume(
                self._adapter, ref, body, is_so, f"placing {ref.path} by {policy or mode}"
            )

    def set_limits(self, ref: VolumeRef, limits: Mapping[str, int]) -> None:
        """Set exactly these QoS limits; none where it is empty."""
        path = child(ref.path, "performance_policy")
        wanted = {name: value for name, value in limits.items() if value}

        def put() -> bool:
            try:
                if wanted:
                    # The cluster keeps what an update does not contain.
                    self._adapter.put(path, {**dict.fromkeys(LIMIT_NAMES, 0), **wanted})
                else:
                    self._adapter.delete(path)
            except NotOnCluster:
                if wanted:
                    self._adapter.post(path, wanted)
            return True

        def look() -> bool | None:
            try:
                standing = performance_limits_in(self._adapter.get(path))
            except NotOnCluster:
                standing = {}
            return standing == wanted or None

        sure(put, look, f"setting the limits of {ref.path}")


def placement_field(dialect: Dialect, mode: str | None, policy: str | None) -> dict[str, Any]:
    """Return the field that this cluster supports: the policy where it has those, else the mode."""
    if policy is not None and dialect.placement_policies:
        return {"placement_policy": {"path": child("/placement_policies", last_segment(policy))}}
    return {} if mode is None else {"placement_mode": mode}
