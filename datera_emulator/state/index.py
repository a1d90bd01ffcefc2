# SPDX-License-Identifier: Apache-2.0
"""What app instances are found by and counted by, so that ten thousand stay quick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from datera_emulator.state.model import NO_UUID, AppInstance


@dataclass(frozen=True)
class _Entry:
    """What one app instance contributed when it was last put in."""

    tenant: str
    name: str
    uuid: str
    iqns: dict[str, str]  # IQN -> name of the storage instance
    volumes: int
    snapshots: int
    template: tuple[str, str]  # tenant and name; empty where there is none


class Index:
    """Follows the app instances; :meth:`put` after each change."""

    def __init__(self) -> None:
        self.volumes = 0
        self.snapshots = 0
        self.storage_instances = 0
        self.changed: set[str] = set()
        """Ids that were put in or removed; who has looked at one discards it."""
        self.recovering: set[str] = set()
        """Ids of those with replicas that were being rebuilt when they were last put in."""
        self._entries: dict[str, _Entry] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._anywhere: dict[str, dict[str, None]] = {}
        self._iqns: dict[str, str] = {}
        self._uuids: Counter[str] = Counter()
        self._tenants: dict[str, dict[str, None]] = {}
        self._templates: dict[tuple[str, str], dict[str, None]] = {}

    def put(self, instance: AppInstance) -> None:
        """Add an app instance, or update it to its present state."""
        self.remove(instance.id)
        volumes = [volume for _, volume in instance.volumes()]
        entry = _Entry(
            tenant=instance.tenant,
            name=instance.name,
            uuid=instance.uuid,
            iqns={storage.iqn: name for name, storage in instance.storage_instances.items()},
            volumes=len(volumes),
            snapshots=sum(len(volume.snapshots) for volume in volumes),
            template=(instance.app_template_tenant, instance.app_template),
        )
        self._entries[instance.id] = entry
        if any(volume.recovering_reads for volume in volumes):
            self.recovering.add(instance.id)
        self._names[entry.tenant, entry.name] = instance.id
        self._anywhere.setdefault(entry.name, {})[instance.id] = None
        self._iqns.update(dict.fromkeys(entry.iqns, instance.id))
        self._uuids[entry.uuid] += 1
        self._tenants.setdefault(entry.tenant, {})[instance.id] = None
        if instance.app_template:
            self._templates.setdefault(entry.template, {})[instance.id] = None
        self.volumes += entry.volumes
        self.snapshots += entry.snapshots
        self.storage_instances += len(entry.iqns)

    def remove(self, identity: str) -> None:
        """Remove an app instance if it is there."""
        self.changed.add(identity)
        self.recovering.discard(identity)
        entry = self._entries.pop(identity, None)
        if entry is None:
            return
        del self._names[entry.tenant, entry.name]
        del self._anywhere[entry.name][identity]
        if not self._anywhere[entry.name]:
            del self._anywhere[entry.name]
        for iqn in entry.iqns:
            del self._iqns[iqn]
        self._uuids[entry.uuid] -= 1
        del self._tenants[entry.tenant][identity]
        self._templates.get(entry.template, {}).pop(identity, None)
        self.volumes -= entry.volumes
        self.snapshots -= entry.snapshots
        self.storage_instances -= len(entry.iqns)

    def named(self, tenant: str, name: str) -> str | None:
        """Return the id of the app instance of this name."""
        return self._names.get((tenant, name))

    def named_anywhere(self, name: str) -> str | None:
        """Return the id of one app instance of this name, in whatever tenant."""
        return next(iter(self._anywhere.get(name, {})), None)

    def of_tenant(self, tenant: str) -> Iterable[str]:
        """Return the ids of a tenant's app instances."""
        return self._tenants.get(tenant, {})

    def made_from(self, tenant: str, template: str) -> Iterable[str]:
        """Return the ids of the app instances that are bound to a template."""
        return self._templates.get((tenant, template), {})

    def behind(self, iqn: str) -> tuple[str, str] | None:
        """Return the ids of app instance and storage instance that answer to an IQN."""
        identity = self._iqns.get(iqn)
        return None if identity is None else (identity, self._entries[identity].iqns[iqn])

    def uuid_taken(self, uuid: str) -> bool:
        """Return whether an app instance has this UUID; the empty one does not count."""
        return uuid != NO_UUID and self._uuids[uuid] > 0
