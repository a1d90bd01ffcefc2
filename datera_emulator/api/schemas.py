# SPDX-License-Identifier: Apache-2.0
"""What bodies must look like: compact JSON Schemas, and the check that refuses the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import jsonschema  # type: ignore[import-untyped]

from datera_emulator.documents import Document, Json
from datera_emulator.errors import ValidationFailed
from datera_emulator.switches import Dialect

Schema = dict[str, Any]
BodySchema = Schema | Callable[[Dialect], Schema]

_UUID = r"[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"
_WORD = r"[a-zA-Z_][a-zA-Z0-9_\-\.]{2,63}"
_TEXT = r"^[a-zA-Z_][a-zA-Z0-9_\-\s\.]{2,127}$"


def closed(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """Return the schema of an object that has these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def list_of(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def one_of(*values: str) -> Schema:
    """Return the schema of one of several words."""
    return {"enum": list(values)}


def integer(minimum: int, maximum: int) -> Schema:
    """Return the schema of an integer within bounds."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def by_name(inner: Schema) -> Schema:
    """Return the schema of a dictionary by name."""
    return {"type": "object", "additionalProperties": inner}


NAME: Schema = {"type": "string", "pattern": f"^{_WORD}$"}
NAME_OR_UUID: Schema = {"type": "string", "pattern": f"(^{_UUID}$)|(^{_WORD}$)"}
UUID: Schema = {"type": "string", "pattern": f"^{_UUID}$"}
DESCRIPTION: Schema = {"type": ["string", "null"], "pattern": _TEXT}
BOOLEAN: Schema = {"type": "boolean"}
STRING: Schema = {"type": "string"}
SECRET: Schema = {"type": "string", "minLength": 12, "maxLength": 16}
PATH = closed(("path",), path={"type": "string", "pattern": r"(^(\/)$)|(^(\/[^\/]+)+$)"})
STATE = one_of("online", "offline")
REPLICAS = integer(1, 5)
PLACEMENT = one_of("hybrid", "single_flash", "all_flash")
CREATE_MODE = one_of(
    "normal",
    "openstack",
    "internal",
    "docker",
    "cloudstack",
    "kubernetes",
    "mesos",
    "vmware_vro",
    "vmware_vcenter",
    "docker_swarm",
)
ACCESS_CONTROL = one_of("allow_all", "deny_all")
_POLICY: dict[str, Schema] = {
    # The minutes are an array's own, see snapshot_policies.checked_policies.
    "interval": one_of("1min", "2min", "15min", "1hour", "1day", "1week", "1month", "1year"),
    "retention_count": integer(1, 256),
    "start_time": {"type": "string", "format": "date-time"},
}
SNAPSHOT_POLICY = closed(("name", "interval", "retention_count"), name=NAME, **_POLICY)
SNAPSHOT_POLICY_UPDATE = closed((), **_POLICY)
SNAPSHOT_POLICIES = list_of(SNAPSHOT_POLICY)

# Only the size is known to be overridden; clients send it as text.
TEMPLATE_OVERRIDE = closed(
    storage_instances=by_name(
        closed(volumes=by_name(closed(size={"type": "string", "pattern": r"^\d{1,6}$"})))
    )
)

_IOPS = integer(0, 10_000_000)
_BANDWIDTH = integer(0, 10_240_000)
PERFORMANCE = closed(
    total_iops_max=_IOPS,
    read_iops_max=_IOPS,
    write_iops_max=_IOPS,
    total_bandwidth_max=_BANDWIDTH,
    read_bandwidth_max=_BANDWIDTH,
    write_bandwidth_max=_BANDWIDTH,
)
AUTH = closed(
    type=one_of("none", "chap", "mchap"),
    initiator_user_name=NAME,
    initiator_pswd=SECRET,
    target_user_name=NAME,
    target_pswd=SECRET,
)
AUTH_WITHIN = {**AUTH, "required": ["type"]}
ACL = closed(initiators=list_of(PATH), initiator_groups=list_of(PATH))
FORCE_ONLY = closed(force=BOOLEAN)
NOTHING = closed()
LINK: Schema = {
    "type": "object",
    "properties": {"path": PATH["properties"]["path"], "op": one_of("add", "remove")},
    "required": ["path", "op"],
}
SNAPSHOT_CREATE = closed(uuid=UUID)
IQN: Schema = {
    "type": "string",
    "pattern": (
        r"((?=.{16,223}$)^iqn\.[0-9]{4}-[0-1][0-9]\.[^\/]*\.[^\/]*$)|(^eui\.[0-9A-Fa-f]{16}$)"
    ),
}
TEXT: Schema = {"type": "string", "pattern": _TEXT}
INITIATOR_NAME = TEXT
_BYTE = "([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
_IPV4: Schema = {"type": "string", "pattern": rf"^({_BYTE}\.){{3}}{_BYTE}$"}
NETWORK_PATH_PROPERTIES: dict[str, Schema] = {
    "start_ip": _IPV4,
    "range": integer(6, 254),
    "netmask": integer(16, 29),
    "vlan": integer(0, 4094),
    "mtu": integer(1500, 9198),
    "gateway": _IPV4,
}
NETWORK_PATH = closed(("start_ip", "range", "netmask"), name=STRING, **NETWORK_PATH_PROPERTIES)
MEDIA_POLICY: Schema = {"type": "object"}
USER_ID: Schema = {"type": "string", "pattern": "^[a-zA-Z0-9_]{3,32}$"}
PASSWORD: Schema = {"type": "string", "pattern": r"^[a-zA-Z_][a-zA-Z0-9_\-\.]{2,127}$"}
LOGIN: Schema = {
    "type": "object",
    "properties": {
        "name": USER_ID,
        "password": PASSWORD,
        "remote_server": STRING,
    },
    "required": ["name", "password"],
}


def volume_create(dialect: Dialect) -> Schema:
    """Return the schema of a new volume in an existing storage instance."""
    return closed(("name", "size"), **_volume(dialect))


def volume_within(dialect: Dialect) -> Schema:
    """Return the schema of a new volume inside a new storage instance."""
    inner = _volume(dialect) | {
        "performance_policy": PERFORMANCE,
        "snapshot_policies": SNAPSHOT_POLICIES,
    }
    return closed(("name", "size"), **inner)


def volume_update(dialect: Dialect) -> Schema:
    """Return the schema of a change to a volume."""
    inner = _volume(dialect) | {"restore_point": STRING}
    del inner["name"]
    return closed((), **inner)


def storage_instance_create(dialect: Dialect) -> Schema:
    """Return the schema of a new storage instance."""
    return closed(
        ("name",),
        name=NAME,
        admin_state=STATE,
        volumes=list_of(volume_within(dialect)),
        access_control_mode=ACCESS_CONTROL,
        acl_policy=ACL,
        ip_pool=PATH,
        access=NOTHING,
        auth=AUTH_WITHIN,
    )


def storage_instance_update(dialect: Dialect) -> Schema:
    """Return the schema of a change to a storage instance."""
    return closed(
        (),
        admin_state=STATE,
        auth=AUTH,
        acl_policy=ACL,
        ip_pool=PATH,
        access_control_mode=ACCESS_CONTROL,
        volumes=list_of(volume_within(dialect)),
        force=BOOLEAN,
    )


def app_instance_create(dialect: Dialect) -> Schema:
    """Return the schema of a new app instance."""
    properties = {
        "name": NAME_OR_UUID,
        "descr": DESCRIPTION,
        "clone_src": PATH,
        "clone_volume_src": PATH,
        "clone_snapshot_src": PATH,
        "app_template": PATH,
        "create_mode": CREATE_MODE,
        "uuid": UUID,
        "access_control_mode": ACCESS_CONTROL,
        "storage_instances": list_of(storage_instance_create(dialect)),
        "snapshot_policies": SNAPSHOT_POLICIES,
    }
    if dialect.template_override and dialect.pages:
        properties["template_override"] = TEMPLATE_OVERRIDE
    return closed(("name",), **properties)


def app_instance_update(dialect: Dialect) -> Schema:
    """Return the schema of a change to an app instance."""
    return closed(
        (),
        name=NAME_OR_UUID,
        descr=DESCRIPTION,
        admin_state=STATE,
        provisioned=BOOLEAN,
        force=BOOLEAN,
        restore_point=STRING,
        storage_instances=list_of(storage_instance_create(dialect)),
        snapshot_policies=SNAPSHOT_POLICIES,
    )


def initiator_create(dialect: Dialect) -> Schema:
    """Return the schema of a new initiator."""
    properties = {"id": IQN, "name": INITIATOR_NAME}
    if dialect.initiator_force:
        properties["force"] = BOOLEAN
    return closed(("id", "name"), **properties)


def _volume(dialect: Dialect) -> dict[str, Schema]:
    properties = {
        "name": NAME,
        # Later versions are said to know 256 TiB; the switches may allow less.
        "size": {"type": "number", "minimum": 1, "maximum": 262144 if dialect.pages else 32768},
        "replica_count": REPLICAS,
        "placement_mode": PLACEMENT,
    }
    if dialect.placement_policies:
        properties["placement_policy"] = PATH
    return properties


def schema_for(body: BodySchema, dialect: Dialect) -> Schema:
    """Return a body's schema in one dialect."""
    return body(dialect) if callable(body) else body


class Validators:
    """Compiled schemas, one for each body and dialect."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[int, Dialect], Any] = {}

    def check(self, body: BodySchema, dialect: Dialect, document: Json) -> Document:
        """Return the document if it fits.

        :raises ValidationFailed: it does not; the message never repeats a secret.
        """
        key = (id(body), dialect)
        if key not in self._compiled:
            schema = schema_for(body, dialect)
            self._compiled[key] = jsonschema.Draft7Validator(schema)
        errors = sorted(self._compiled[key].iter_errors(document), key=lambda e: list(e.path))
        if errors:
            raise ValidationFailed(*(_sentence(error) for error in errors[:5]))
        return cast(Document, document)


def _sentence(error: Any) -> str:
    where = "/".join(str(part) for part in error.absolute_path) or "body"
    if where.rsplit("/", 1)[-1] in {"password", "target_pswd", "initiator_pswd"}:
        return f"{where}: does not fit the schema"
    if error.validator == "type":  # its own message repeats the value, whatever is in it
        return f"{where}: is not of type {error.validator_value}"
    return f"{where}: {error.message}"
