# SPDX-License-Identifier: Apache-2.0
"""From app templates to the storage of app instances, and from requests to app templates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from datera_emulator.api.routing import Call
from datera_emulator.documents import Document
from datera_emulator.errors import NotFound, ValidationFailed
from datera_emulator.rules.credentials import checked_auth
from datera_emulator.rules.lookup import name_at
from datera_emulator.rules.snapshot_policies import checked_policies
from datera_emulator.state.model import Auth
from datera_emulator.state.template_model import AppTemplate, StorageTemplate, VolumeTemplate

_LARGEST_SIZE = 262144  # GiB; the switches may allow less


def template_named(call: Call, wish: Document) -> AppTemplate | None:
    """Return the template in a request for an app instance, if it names one.

    :raises NotFound: no such template is visible to the tenant.
    :raises ValidationFailed: storage is requested in addition.
    """
    if "app_template" not in wish:
        return None
    if wish.get("storage_instances"):
        raise ValidationFailed("An app instance from a template has no storage of its own")
    name = name_at(wish["app_template"]["path"], "app_templates")
    return call.cluster.app_template(call.tenant, name)


def storage_wishes(template: AppTemplate, override: Document) -> list[Document]:
    """Return the storage instances of a template, in the form of a request's body.

    :param override: sizes of volumes by the names of storage instances and volumes.
    :raises ValidationFailed: it names what the template does not have, or a size out of bounds.
    """
    wishes = [_storage_wish(one) for one in template.storage_templates.values()]
    storages = {wish["name"]: wish for wish in wishes}
    for name, inner in override.get("storage_instances", {}).items():
        if name not in storages:
            raise ValidationFailed(f"template_override: {template.path} has no {name}")
        volumes = {volume["name"]: volume for volume in storages[name]["volumes"]}
        for volume, change in inner.get("volumes", {}).items():
            if volume not in volumes:
                raise ValidationFailed(f"template_override: {name} has no volume {volume}")
            volumes[volume]["size"] = _size(change.get("size"), volumes[volume]["size"])
    return wishes


def new_app_template(call: Call, wish: Document) -> AppTemplate:
    """Return a new template.

    :raises ApiError: part of the wish cannot be granted.
    """
    template = AppTemplate(name=wish["name"], tenant=call.tenant)
    if "copy_from" in wish:
        origin = call.cluster.app_template(
            call.tenant, name_at(wish["copy_from"]["path"], "app_templates")
        )
        template.storage_templates = {
            name: _copied(one) for name, one in origin.storage_templates.items()
        }
        template.snapshot_policies = dict(origin.snapshot_policies)
    template.descr = wish.get("descr") or ""
    if "storage_templates" in wish:
        template.storage_templates = storage_templates(call, wish["storage_templates"])
    if "snapshot_policies" in wish:
        template.snapshot_policies = checked_policies(wish["snapshot_policies"])
    return template


def storage_templates(call: Call, wishes: Sequence[Document]) -> dict[str, StorageTemplate]:
    """Return storage templates by name.

    :raises ApiError: one cannot be had, or two have one name.
    """
    made = {wish["name"]: new_storage_template(call, wish) for wish in wishes}
    if len(made) != len(wishes):
        raise ValidationFailed("Two storage templates have one name")
    return made


def new_storage_template(call: Call, wish: Document) -> StorageTemplate:
    """Return a new storage template.

    :raises ApiError: part of the wish cannot be granted.
    """
    return StorageTemplate(
        name=wish["name"],
        ip_pool=checked_pool(call, wish.get("ip_pool", "")),
        auth=checked_auth(wish["auth"]) if "auth" in wish else Auth(),
        volume_templates=volume_templates(call, wish.get("volume_templates", [])),
    )


def volume_templates(call: Call, wishes: Sequence[Document]) -> dict[str, VolumeTemplate]:
    """Return volume templates by name.

    :raises ApiError: one cannot be had, or two have one name.
    """
    made = {wish["name"]: new_volume_template(call, wish) for wish in wishes}
    if len(made) != len(wishes):
        raise ValidationFailed("Two volume templates have one name")
    return made


def new_volume_template(call: Call, wish: Document) -> VolumeTemplate:
    """Return a new volume template.

    :raises ApiError: part of the wish cannot be granted.
    """
    switches = call.cluster.switches
    return VolumeTemplate(
        name=wish["name"],
        size=wish["size"],
        replica_count=wish.get("replica_count", switches.default_replica_count),
        placement_mode=wish.get("placement_mode", switches.default_placement_mode),
        performance_policy=wish.get("performance_policy"),
        snapshot_policies=checked_policies(wish.get("snapshot_policies", [])),
    )


def checked_pool(call: Call, path: str) -> str:
    """Return the path of the IP pool that a storage template names; here it is only a string.

    :raises NotFound: there is no such pool.
    """
    if path and name_at(path, "access_network_ip_pools") not in call.cluster.ip_pools:
        raise NotFound(f"No IP pool at {path}")
    return path


def _storage_wish(template: StorageTemplate) -> Document:
    wish: Document = {
        "name": template.name,
        "volumes": [_volume_wish(one) for one in template.volume_templates.values()],
    }
    if template.ip_pool:
        wish["ip_pool"] = {"path": template.ip_pool}
    if template.auth.type != "none":
        wish["auth"] = dataclasses.asdict(template.auth)
    return wish


def _volume_wish(template: VolumeTemplate) -> Document:
    return {
        "name": template.name,
        "size": template.size,
        "replica_count": template.replica_count,
        "placement_mode": template.placement_mode,
        "performance_policy": template.performance_policy and dict(template.performance_policy),
        "snapshot_policies": [
            dataclasses.asdict(one) for one in template.snapshot_policies.values()
        ],
    }


def _copied(template: StorageTemplate) -> StorageTemplate:
    return dataclasses.replace(
        template,
        volume_templates={
            name: dataclasses.replace(one, snapshot_policies=dict(one.snapshot_policies))
            for name, one in template.volume_templates.items()
        },
    )


def _size(text: str | None, present: int) -> int:
    if text is None:
        return present
    if not 1 <= int(text) <= _LARGEST_SIZE:
        raise ValidationFailed(f"template_override: size {text} is out of bounds")
    return int(text)
