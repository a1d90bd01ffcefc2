# SPDX-License-Identifier: Apache-2.0
"""What stands on a cluster and could become Cinder's: references, and whether that is safe."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datera_volume import naming
from datera_volume.connection import AppInstance, Volume
from datera_volume.connection.paths import ROOT

FORMAT = "[TENANT:]APP_INSTANCE[:STORAGE_INSTANCE:VOLUME]"


class BadReference(ValueError):
    """A reference that cannot be read, or that means nothing that can be managed."""


@dataclass(frozen=True)
class Reference:
    """A volume on the cluster, as an operator names it.

    :param tenant: None is the one that volumes of the record's project lie in.
    :param instance: name or id of the app instance.
    :param storage: None: the only one.
    :param volume: None: the only one.
    """

    instance: str
    tenant: str | None = None
    storage: str | None = None
    volume: str | None = None


def reference_in(existing_ref: Mapping[str, str]) -> Reference:
    """Read what an operator gave, in the in-tree driver's form or shorter.

    :raises BadReference: it cannot be read.
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
    raise BadReference(f"a reference has a source-name of the form {FORMAT}, not {text!r}")


def volume_in(ai: AppInstance, reference: Reference) -> Volume:
    """Return the volume that a reference means.

    :raises BadReference: there is none, or the app instance is not one that a volume can be.
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
    """Return why an app instance cannot become a volume of Cinder's; None where it can."""
    use = naming.own_use_of(ai.name, ai.descr)
    if use:
        return f"is {use}"
    if [len(storage.volumes) for storage in ai.storage_instances] != [1]:
        return "has not exactly one storage instance with one volume"
    storage = ai.storage_instance
    if storage.initiators or storage.initiator_groups:
        return "lets hosts in; take them out of its access list first"
    return None


def whole_gib(volume: Volume) -> int:
    """Return a volume's size in GiB as Cinder counts it; what is over counts as one more."""
    return max(volume.size_gib, math.ceil(volume.exact_gib))


def volume_entry(ai: AppInstance, known: Mapping[str, str], *, name_tenant: bool) -> dict[str, Any]:
    """Return an app instance as Cinder lists what can be managed.

    :param known: ids of this backend's volumes, by what their app instances' names end with.
    :param name_tenant: whether the reference must say the tenant.
    """
    cinder_id = known.get(naming.id_in(ai.name) or "")
    reason = "already managed" if cinder_id else unfit_reason(ai)
    volumes = [volume for storage in ai.storage_instances for volume in storage.volumes]
    return {
        "reference": {"source-name": _reference_to(ai, name_tenant=name_tenant)},
        "size": sum(whole_gib(volume) for volume in volumes),
        "safe_to_manage": reason is None,
        "reason_not_safe": reason,
        "cinder_id": cinder_id,
        "extra_info": {"snapshots": sum(len(volume.snapshots) for volume in volumes)},
    }


def snapshot_entries(
    ai: AppInstance, known: Mapping[str, str], taken: Mapping[str, str], *, name_tenant: bool
) -> Iterator[dict[str, Any]]:
    """Yield the snapshots of a volume of Cinder's, as Cinder lists what can be managed.

    :param known: as for :func:`volume_entry`.
    :param taken: ids of Cinder's snapshots, by what they are found by.
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


def is_taken(snapshot_keys: Collection[str], uuid: str, utc_ts: str) -> bool:
    """Whether one of these keys of Cinder's snapshots means this snapshot."""
    return uuid in snapshot_keys or utc_ts in snapshot_keys


def _single(ai: AppInstance) -> bool:
    return [len(storage.volumes) for storage in ai.storage_instances] == [1]


def _reference_to(ai: AppInstance, *, name_tenant: bool) -> str:
    parts = [ai.name]
    if _single(ai):
        parts += [ai.storage_instance.name, ai.volume.name]
    if name_tenant:
        parts = [ai.tenant.removeprefix(f"{ROOT}/").strip("/"), *parts]
    return ":".join(parts)
