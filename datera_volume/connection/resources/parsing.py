# SPDX-License-Identifier: Apache-2.0
"""From a cluster's JSON to the values of :mod:`datera_volume.connection.resources.model`.

Whatever leads to revoking access, to a deletion or to a verdict of absence must be present in a
response: ACL, authentication, admin state, child objects. A missing field, or one of another type,
is never read as "none". Each of them is in every recorded response of version 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datera_volume.connection.errors import UnexpectedAnswer
from datera_volume.connection.resources.model import (
    ALLOW_ALL,
    DENY_ALL,
    AppInstance,
    Snapshot,
    StorageInstance,
    SystemInfo,
    Volume,
)
from datera_volume.connection.transport.paths import child, last_segment

Fields = Mapping[str, Any]


def entity_in(response: Fields) -> Fields:
    """Return the one object that a response contains.

    :raises UnexpectedAnswer: it contains something else.
    """
    data = response.get("data", response)
    if not isinstance(data, dict):
        raise UnexpectedAnswer(f"Expected an object, got {type(data).__name__}")
    return data


def app_instance(fields: Fields) -> AppInstance:
    """Read an app instance with its storage instances, volumes and snapshots.

    :raises UnexpectedAnswer: a required field is missing.
    """
    try:
        return _app_instance(fields)
    except UnexpectedAnswer as exc:
        raise UnexpectedAnswer(f"{exc} (of app instance {fields.get('name')!r})") from exc


def _app_instance(fields: Fields) -> AppInstance:
    return AppInstance(
        id=_text(fields, "id", needed=True),
        name=_text(fields, "name", needed=True),
        path=_text(fields, "path", needed=True),
        tenant=_text(fields, "tenant"),
        descr=_text(fields, "descr"),
        uuid=_text(fields, "uuid"),
        admin_state=_text(fields, "admin_state", needed=True),
        op_state=_text(fields, "op_state"),
        create_mode=_text(fields, "create_mode"),
        template=_reference(fields.get("app_template")),
        storage_instances=tuple(
            _storage_instance(item) for item in _objects(fields, "storage_instances")
        ),
    )


def snapshot(fields: Fields, volume_path: str) -> Snapshot:
    """Read a snapshot of a volume.

    :raises UnexpectedAnswer: it has no uuid or no id.
    """
    utc_ts = fields.get("utc_ts") or fields.get("timestamp")
    if not isinstance(utc_ts, str) or not utc_ts:
        # As a number it would lose digits, and identify another snapshot.
        raise UnexpectedAnswer(f"A snapshot's id must be a string, not {utc_ts!r}")
    return Snapshot(
        uuid=_text(fields, "uuid"),
        utc_ts=utc_ts,
        op_state=_text(fields, "op_state"),
        path=child(volume_path, "snapshots", utc_ts),
    )


def system_info(fields: Fields) -> SystemInfo:
    """Read the cluster's own state and capacities.

    :raises UnexpectedAnswer: the name is missing.
    """
    return SystemInfo(
        uuid=_text(fields, "uuid"),
        name=_text(fields, "name", needed=True),
        sw_version=_text(fields, "sw_version"),
        op_state=_text(fields, "op_state"),
        health=_text(fields, "health"),
        total_capacity=_bytes(fields, "total_capacity"),
        available_capacity=_bytes(fields, "available_capacity"),
        total_provisioned_capacity=_bytes(fields, "total_provisioned_capacity"),
        all_flash_total_capacity=_bytes(fields, "all_flash_total_capacity"),
        all_flash_available_capacity=_bytes(fields, "all_flash_available_capacity"),
        all_flash_provisioned_capacity=_bytes(fields, "all_flash_provisioned_capacity"),
        hybrid_total_capacity=_bytes(fields, "hybrid_total_capacity"),
        hybrid_available_capacity=_bytes(fields, "hybrid_available_capacity"),
        hybrid_provisioned_capacity=_bytes(fields, "hybrid_provisioned_capacity"),
        compression_enabled=fields.get("compression_enabled") is True,
        compression_ratio=str(fields.get("compression_ratio", "")),
        l3_enabled=fields.get("l3_enabled") is True,
    )


def initiators_in(acl_policy: Fields) -> tuple[str, ...]:
    """Return the IQNs of an ACL: the last segments of the initiators' paths.

    :raises UnexpectedAnswer: the list of initiators is missing.
    """
    return tuple(last_segment(path) for path in _references(acl_policy, "initiators"))


def members_in(group: Fields) -> tuple[str, ...]:
    """Return the IQNs of an initiator group's members.

    :raises UnexpectedAnswer: the list of members is missing.
    """
    return tuple(last_segment(path) for path in _references(group, "members"))


def size_in(volume: Fields) -> float:
    """Return a volume's size in GiB.

    :raises UnexpectedAnswer: the size is missing.
    """
    size = volume.get("size")
    if not isinstance(size, (int, float)):
        raise UnexpectedAnswer(f"A volume's size is {size!r}")
    return size


def performance_limits_in(performance_policy: Fields) -> dict[str, int]:
    """Return a volume's QoS limits by the cluster's names, without unlimited ones."""
    return {
        name: value
        for name, value in performance_policy.items()
        if name.endswith("_max") and isinstance(value, int) and value
    }


def name_in(reference: Any) -> str:
    """Return the name that a reference's path ends with; an empty text where it is unset."""
    return last_segment(_reference(reference))


def _storage_instance(fields: Fields) -> StorageInstance:
    access = fields.get("access")
    access = access if isinstance(access, dict) else {}
    acl = _object(fields, "acl_policy")
    auth = _object(fields, "auth")
    mode = _text(fields, "access_control_mode", needed=True)
    if mode not in (ALLOW_ALL, DENY_ALL):
        raise UnexpectedAnswer(f"A response's 'access_control_mode' is {mode!r}")
    ips = access.get("ips")
    return StorageInstance(
        name=_text(fields, "name", needed=True),
        path=_text(fields, "path", needed=True),
        op_state=_text(fields, "op_state"),
        ips=tuple(str(ip) for ip in ips) if isinstance(ips, list) else (),
        iqn=_text(access, "iqn"),
        initiators=initiators_in(acl),
        initiator_groups=_references(acl, "initiator_groups"),
        ip_pool=_reference(fields.get("ip_pool")),
        access_control_mode=mode,
        auth_type=_text(auth, "type", needed=True),
        auth_user=_text(auth, "target_user_name"),
        volumes=tuple(_volume(item) for item in _objects(fields, "volumes")),
        logged_in=_logged_in(fields),
    )


def _logged_in(storage_instance: Fields) -> tuple[str, ...] | None:
    try:
        paths = _references(storage_instance, "active_initiators")
    except UnexpectedAnswer:
        return None
    return tuple(last_segment(path) for path in paths)


def _volume(fields: Fields) -> Volume:
    size = size_in(fields)
    replicas = fields.get("replica_count")
    in_use = fields.get("capacity_in_use")
    limits = fields.get("performance_policy")
    path = _text(fields, "path", needed=True)
    return Volume(
        name=_text(fields, "name", needed=True),
        path=path,
        size_gib=int(size),
        uuid=_text(fields, "uuid"),
        replica_count=replicas if isinstance(replicas, int) else None,
        placement_mode=_text(fields, "placement_mode") or None,
        placement_policy=_reference(fields.get("placement_policy")),
        op_state=_text(fields, "op_state"),
        in_use_gib=float(in_use) if isinstance(in_use, (int, float)) else None,
        exact_gib=float(size),
        snapshots=tuple(_snapshot_below(item, path) for item in _objects(fields, "snapshots")),
        limits=performance_limits_in(limits if isinstance(limits, dict) else {}),
    )


def _snapshot_below(fields: Fields, volume_path: str) -> Snapshot:
    """Read a snapshot as a volume lists it: maybe only a path that ends with its id."""
    path = _reference(fields) or ""
    above, _, last = path.rpartition("/")
    known = {"utc_ts": last, **fields} if above.endswith("/snapshots") else fields
    return snapshot(known, volume_path)


def _text(fields: Fields, name: str, *, needed: bool = False) -> str:
    value = fields.get(name)
    if isinstance(value, str) and value:
        return value
    if needed:
        raise UnexpectedAnswer(f"A response has no {name!r}")
    return ""


def _bytes(fields: Fields, name: str) -> int:
    value = fields.get(name, 0)
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _object(fields: Fields, name: str) -> Fields:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise UnexpectedAnswer(f"A response has no {name!r}")
    return value


def _objects(fields: Fields, name: str) -> list[dict[str, Any]]:
    value = fields.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise UnexpectedAnswer(f"A response has no list of objects {name!r}")
    return value


def _references(fields: Fields, name: str) -> tuple[str, ...]:
    value = fields.get(name)
    items = value if isinstance(value, list) else [None]
    paths = tuple(path for path in map(_reference, items) if path)
    if len(paths) < len(items):
        raise UnexpectedAnswer(f"A response has no list of references {name!r}")
    return paths


def _reference(value: Any) -> str | None:
    """A reference is ``{path}``; an unset one reads as an empty text."""
    path = value.get("path") if isinstance(value, dict) else value
    return path if isinstance(path, str) and path else None
