# SPDX-License-Identifier: Apache-2.0
"""Manageable volumes and snapshots: references, and whether managing them is safe."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datera_volume.connection import ROOT, AppInstance, Volume, last_segment
from datera_volume.operations import naming

FORMAT = "[TENANT:]APP_INSTANCE[:STORAGE_INSTANCE:VOLUME]"


class BadReference(ValueError):
    """A reference is invalid, or refers to nothing that can be managed."""


@dataclass(frozen=True)
class Reference:
    """A reference to a volume on the cluster.

    :param tenant: None: the tenant of the record's project.
    :param instance: name or id of the app instance.
    :param storage: None: the only one.
    :param volume: None: the only one.
    """

    instance: str
    tenant: str | None = None
    storage: str | None = None
    volume: str | None = None


def reference_in(existing_ref: Mapping[str, str]) -> Reference:
    """Parse a reference, in the in-tree driver's form or a shorter one.

    :raises BadReference: it is invalid.
    """
    text = existing_ref.get("source-name") or existing_ref.get("source-id") or ""
    parts = text.split(":")
    if all(parts):
        match parts:
            case [instance]:
                return Reference(instance)
            case [tenant, instance]:
                return Reference(instance, tenant)
            case [instance, storage, volume]:
                return Reference(instance, None, storage, volume)
            case [tenant, instance, storage, volume]:
                return Reference(instance, tenant, storage, volume)
    raise BadReference(f"a reference needs a source-name of the form {FORMAT}, not {text!r}")


def volume_in(ai: AppInstance, reference: Reference) -> Volume:
    """Return the volume that a reference refers to.

    :raises BadReference: there is none, or the app instance cannot be a Cinder volume.
    """
    reason = unfit_reason(ai)
    if reason:
        raise BadReference(f"app instance {ai.name} {reason}")
    storage, volume = ai.storage_instance, ai.volume
    if reference.storage not in (None, storage.name) or reference.volume not in (None, volume.name):
        raise BadReference(
            f"app instance {ai.name} has the volume {storage.name}:{volume.name}, and no other"
        )
    return volume


def unfit_reason(ai: AppInstance) -> str | None:
    """Return why an app instance cannot become a Cinder volume; None where it can."""
    use = naming.own_use_of(ai.name, ai.descr)
    if use:
        return f"is {use}"
    if [len(storage.volumes) for storage in ai.storage_instances] != [1]:
        return "does not have exactly one storage instance with one volume"
    storage = ai.storage_instance
    if storage.has_initiators:
        return "has hosts in its ACL; remove them first"
    if storage.logged_in and not storage.open_to_all:
        return f"is used by hosts that are logged in: {', '.join(storage.logged_in)}"
    return None


def unsafe_reason(ai: AppInstance, *, open_by_default: bool) -> str | None:
    """Return why managing it with an unknown type is not safe; None where it is.

    :param open_by_default: whether the backend's defaults set acl_allow_all.
    """
    reason = unfit_reason(ai)
    if reason or not ai.storage_instance.open_to_all or open_by_default:
        return reason
    hosts = ai.storage_instance.logged_in
    if hosts:
        told = f"is open to all hosts, and these are logged in: {', '.join(hosts)}"
        return f"{told}; it needs a type with DF:acl_allow_all"
    return "is open to all hosts; a type without DF:acl_allow_all restricts it"


def whole_gib(volume: Volume) -> int:
    """Return a volume's size in GiB, rounded up."""
    return max(volume.size_gib, math.ceil(volume.exact_gib))


def volume_entry(
    ai: AppInstance,
    known: Mapping[str, str],
    *,
    name_tenant: bool,
    open_by_default: bool = False,
) -> dict[str, Any]:
    """Return an app instance as an entry of Cinder's list of manageable volumes.

    :param known: ids of this backend's volumes, by the ids that end their app instances' names.
    :param name_tenant: whether the reference must contain the tenant.
    :param open_by_default: as for :func:`unsafe_reason`.
    """
    cinder_id = known.get(naming.id_in(ai.name) or "")
    reason = "already managed" if cinder_id else unsafe_reason(ai, open_by_default=open_by_default)
    volumes = [volume for storage in ai.storage_instances for volume in storage.volumes]
    return {
        "reference": {"source-name": _reference_to(ai, name_tenant=name_tenant)},
        "size": sum(whole_gib(volume) for volume in volumes),
        "safe_to_manage": reason is None,
        "reason_not_safe": reason,
        "cinder_id": cinder_id,
        "extra_info": {
            "snapshots": sum(len(volume.snapshots) for volume in volumes),
            "open_to_all": any(storage.open_to_all for storage in ai.storage_instances),
            "template": last_segment(ai.template) or None,
        },
    }


def snapshot_entries(
    ai: AppInstance, known: Mapping[str, str], taken: Mapping[str, str], *, name_tenant: bool
) -> Iterator[dict[str, Any]]:
    """Yield a Cinder volume's snapshots as entries of Cinder's list of manageable snapshots.

    :param known: as for :func:`volume_entry`.
    :param taken: ids of Cinder's snapshots, by their keys for lookup.
    """
    if (naming.id_in(ai.name) or "") not in known or not _single(ai):
        return
    for snapshot in ai.volume.snapshots:
        cinder_id = taken.get(snapshot.uuid) or taken.get(snapshot.utc_ts)
        yield {
            "reference": {"source-name": snapshot.utc_ts},
            "size": whole_gib(ai.volume),
            "safe_to_manage": cinder_id is None,
            "reason_not_safe": "already managed" if cinder_id else None,
            "cinder_id": cinder_id,
            "extra_info": {"uuid": snapshot.uuid},
            "source_reference": {"source-name": _reference_to(ai, name_tenant=name_tenant)},
        }


def _single(ai: AppInstance) -> bool:
    return [len(storage.volumes) for storage in ai.storage_instances] == [1]


def _reference_to(ai: AppInstance, *, name_tenant: bool) -> str:
    parts = [ai.name]
    if _single(ai):
        parts += [ai.storage_instance.name, ai.volume.name]
    if name_tenant:
        parts = [ai.tenant.removeprefix(f"{ROOT}/").strip("/"), *parts]
    return ":".join(parts)
