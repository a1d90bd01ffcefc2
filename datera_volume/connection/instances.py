# SPDX-License-Identifier: Apache-2.0
"""App instances: finding them exactly, making them once, and switching them on and off."""

from __future__ import annotations

import re
from typing import Any

from datera_volume.connection import reading, tracing
from datera_volume.connection.asking import SETTLE_SECONDS, Asking
from datera_volume.connection.dialect import Dialect
from datera_volume.connection.errors import (
    AlreadyOnCluster,
    NotOnCluster,
    OutcomeUnknown,
    RequestRefused,
    UnexpectedAnswer,
)
from datera_volume.connection.limits import room_for
from datera_volume.connection.model import (
    ALLOW_ALL,
    DENY_ALL,
    OFFLINE,
    ONLINE,
    AppInstance,
    NewAppInstance,
)
from datera_volume.connection.paths import child
from datera_volume.connection.templates import template_fields

LOG = tracing.logger(__name__)

COLLECTION = "/app_instances"
COPYING = "cloning"
SOURCE_FIELD = {
    "app_instance": "clone_src",
    "volume": "clone_volume_src",
    "snapshot": "clone_snapshot_src",
}
# After so many lost answers in a row the way to the cluster is what is broken.
CREATE_ATTEMPTS = 3
FREE_INSTANCES = "Delete volumes or backups, or use another cluster"


def find(asking: Asking, name_or_id: str) -> AppInstance:
    """Return the one app instance of exactly this name or id.

    :raises NotOnCluster: there is none in this tenant.
    """
    try:
        path = child(COLLECTION, name_or_id)
    except RequestRefused as exc:
        raise NotOnCluster(f"No app instance {name_or_id} in {asking.tenant}: {exc}") from exc
    # That a cluster will not answer the question is no word about what is there.
    found = reading.app_instance(asking.get(path))
    if name_or_id not in (found.name, found.id) or not _in_tenant(asking, found):
        raise NotOnCluster(f"No app instance {name_or_id} in {asking.tenant}")
    return found


def matching(asking: Asking, pattern: str | None) -> list[AppInstance]:
    """Return all, or those whose whole name matches.

    :raises ValueError: the pattern cannot be sent, or is no regular expression.
    """
    if pattern is None:
        return [reading.app_instance(item) for item in asking.all(COLLECTION)]
    if re.search(r"[\s()]", pattern):
        raise ValueError(f"the cluster's filter cannot carry the pattern {pattern!r}")
    whole = re.compile(pattern)
    # Whether the cluster anchors a pattern is not known: what it returns is only a beginning.
    items = asking.all(COLLECTION, filter=f"match(name,{pattern})")
    return [
        reading.app_instance(item) for item in items if whole.fullmatch(str(item.get("name", "")))
    ]


def create(asking: Asking, new: NewAppInstance) -> AppInstance:
    """Make one, at most once, and return it when it is no longer being copied.

    :raises AlreadyOnCluster: the name is taken by something that this call did not make.
    :raises LimitReached: the cluster has as many app instances or volumes as it takes.
    """
    body = creation_body(new, asking.dialect)
    lost: OutcomeUnknown | UnexpectedAnswer | None = None
    for _attempt in range(CREATE_ATTEMPTS):
        try:
            with room_for(f"app instance {new.name}", FREE_INSTANCES):
                answer = asking.post(COLLECTION, body)
            return _copied(asking, reading.app_instance(answer))
        except (OutcomeUnknown, UnexpectedAnswer) as exc:
            LOG.warning("Looking whether app instance %s was made: %s", new.name, exc)
            lost = exc
        except AlreadyOnCluster:
            if lost is None:
                raise
        made = _ours(asking, new)
        if made is not None:
            return _copied(asking, made)
    raise OutcomeUnknown(f"Whether app instance {new.name} was made is not known: {lost}") from lost


def creation_body(new: NewAppInstance, dialect: Dialect) -> dict[str, Any]:
    """Return what to send for a new app instance."""
    body: dict[str, Any] = {
        "name": new.name,
        "create_mode": new.create_mode,
        "access_control_mode": ALLOW_ALL if new.open_to_all else DENY_ALL,
    }
    if new.descr:
        body["descr"] = new.descr
    if new.uuid:
        body["uuid"] = new.uuid
    if new.source_path is not None:
        body[SOURCE_FIELD[new.source_kind or "volume"]] = {"path": new.source_path}
        return body
    if new.template is not None:
        return body | template_fields(new, dialect)
    volume: dict[str, Any] = {"name": new.volume_name, "size": new.size_gib}
    if new.replica_count is not None:
        volume["replica_count"] = new.replica_count
    volume.update(placement_field(dialect, new.placement_mode, new.placement_policy))
    limits = {name: value for name, value in new.limits.items() if value}
    if limits:
        volume["performance_policy"] = limits
    storage: dict[str, Any] = {"name": new.storage_name, "volumes": [volume]}
    if new.ip_pool is not None:
        storage["ip_pool"] = {"path": child("/access_network_ip_pools", new.ip_pool)}
    body["storage_instances"] = [storage]
    return body


def placement_field(dialect: Dialect, mode: str | None, policy: str | None) -> dict[str, Any]:
    """Return what of it this cluster understands: the policy where it has those, else the mode."""
    if policy is not None and dialect.placement_policies:
        name = policy.rsplit("/", 1)[-1]
        return {"placement_policy": {"path": child("/placement_policies", name)}}
    return {} if mode is None else {"placement_mode": mode}


def set_online(asking: Asking, ai: AppInstance) -> AppInstance:
    """Switch it on and return it once every storage instance is available.

    :raises NotReadyInTime: that did not happen before the deadline.
    """
    answer = asking.put(ai.path, {"admin_state": ONLINE})
    if _complete(answer):
        now = reading.app_instance(answer)
        if now.available and now.storage_instances:
            return now
    return asking.patience.until(
        lambda: reading.app_instance(asking.get(ai.path)),
        lambda seen: seen.available,
        seconds=SETTLE_SECONDS,
        what=f"the storage instances of {ai.name} to be available",
    )


def set_offline(asking: Asking, ai: AppInstance, *, force: bool) -> AppInstance:
    """Switch it off; with force, cutting off whoever still uses it.

    :raises RequestRefused: somebody uses it, and there is no force.
    """
    return change(asking, ai, {"admin_state": OFFLINE} | ({"force": True} if force else {}))


def change(asking: Asking, ai: AppInstance, fields: dict[str, Any]) -> AppInstance:
    """Change fields of it and return it as it now is."""
    answer = asking.put(ai.path, fields)
    return reading.app_instance(answer if _complete(answer) else asking.get(ai.path))


def delete(asking: Asking, ai: AppInstance) -> None:
    """Switch it off and delete it.

    :raises NotOnCluster: it was already gone.
    """
    asking.put(ai.path, {"admin_state": OFFLINE, "force": True})
    asking.delete(ai.path, {"force": True})


def _complete(answer: Any) -> bool:
    return "id" in answer and "storage_instances" in answer


def _copied(asking: Asking, ai: AppInstance) -> AppInstance:
    if ai.op_state != COPYING and ai.storage_instances:
        return ai
    return asking.patience.until(
        lambda: reading.app_instance(asking.get(ai.path)),
        lambda seen: seen.op_state != COPYING and bool(seen.storage_instances),
        seconds=SETTLE_SECONDS,
        what=f"the copy {ai.name} to be complete",
    )


def _ours(asking: Asking, new: NewAppInstance) -> AppInstance | None:
    """Return what the lost request has made; None where there is nothing of that name.

    :raises AlreadyOnCluster: what stands there was not made by it.
    """
    try:
        found = find(asking, new.name)
    except NotOnCluster:
        return None
    same = (
        found.name == new.name
        and (new.uuid is None or found.uuid == new.uuid)
        and found.descr == (new.descr or "")
        and found.create_mode in ("", new.create_mode)
        and (new.uuid is not None or bool(new.descr))
    )
    if not same:
        raise AlreadyOnCluster(
            f"App instance {new.name} in {asking.tenant} exists and was not made by this request"
        )
    return found


def _in_tenant(asking: Asking, ai: AppInstance) -> bool:
    return not ai.tenant or ai.tenant == asking.tenant
