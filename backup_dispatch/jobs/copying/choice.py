# SPDX-License-Identifier: Apache-2.0
"""Which backups have a copy, which copy another can build on, and what is to be copied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cinder import objects
from cinder.objects import fields
from oslo_config import cfg

from backup_dispatch import backup_rows, records
from backup_dispatch.backends.configured import Backend
from backup_dispatch.backup_rows import Filter
from backup_dispatch.drivers.custody import holds
from backup_dispatch.drivers.families import is_ceph, keeps_folders
from backup_dispatch.errors import OwnerUnresolved
from backup_dispatch.jobs.copying.record import COPY_OF, is_under_way
from backup_dispatch.jobs.copying.request import Cloud, Request

CONF = cfg.CONF

_SOUND = (fields.BackupStatus.AVAILABLE, fields.BackupStatus.RESTORING)


class Copies:
    """The copies that there are, by what their records say."""

    def __init__(self, cloud: Cloud, request: Request) -> None:
        self._cloud = cloud
        self._request = request

    def copy_of(self, source: Any) -> Any | None:
        """The finished copy of a backup on the target, or None."""
        for copy in self._with_property(source):
            if copy.status in _SOUND and self._is_wanted(copy, source):
                return copy
        return None

    def under_way(self, source: Any) -> list[Any]:
        """The copies of a backup that are not finished, on whatever backend."""
        return [copy for copy in self._with_property(source) if is_under_way(copy)]

    def parent_for(self, source: Any) -> Any | None:
        """The newest copy on the target whose data is older than the backup's, to build on.

        Not on a copy of another size, which drivers refuse; and not in Ceph, whose driver makes
        incrementals of images alone.
        """
        target = self._request.target
        if not self._request.incremental or is_ceph(target.driver_class):
            return None
        found = []
        for copy in self._of_volume(source):
            if copy.status != fields.BackupStatus.AVAILABLE or copy.data_timestamp is None:
                continue
            if COPY_OF not in (copy.metadata or {}) or copy.size != source.size:
                continue
            if copy.data_timestamp < source.data_timestamp and self._is_on_target(copy):
                found.append(copy)
        for copy in sorted(found, key=lambda one: one.data_timestamp, reverse=True):
            if self._is_in_reach(copy):
                return copy
        return None

    def _is_wanted(self, copy: Any, source: Any) -> bool:
        """Whether it is the one asked for: users can edit the property, and nothing else."""
        project = self._request.project or source.project_id
        same = ("volume_id", "data_timestamp", "size")
        return (
            all(getattr(copy, name) == getattr(source, name) for name in same)
            and copy.project_id == project
            and self._is_on_target(copy)
        )

    def _is_on_target(self, copy: Any) -> bool:
        return owner_by(copy.service, self._cloud) == self._request.target

    def _is_in_reach(self, copy: Any) -> bool:
        target = self._request.target
        if not keeps_folders(target.driver_class) or copy.host == CONF.host:
            return True
        return holds(self._cloud.driver(target, copy), copy) is True

    def _with_property(self, source: Any) -> list[Any]:
        return [
            one
            for one in self._of_volume(source, any_project=True)
            if (one.metadata or {}).get(COPY_OF) == source.id
        ]

    def _of_volume(self, source: Any, *, any_project: bool = False) -> list[Any]:
        project = None if any_project else self._request.project or source.project_id
        wanted = Filter(volume=source.volume_id, project=project)
        ids = [row.id for row in backup_rows.rows(self._cloud.context, wanted)]
        return list(backup_rows.objects_of(self._cloud.context, ids))


def owner_by(service: str | None, cloud: Cloud) -> Backend | None:
    """The enabled backend that a record's ``service`` names, or None."""
    try:
        return records.recorded_owner("", service or "", cloud.enabled)
    except OwnerUnresolved:
        return None


def sources(cloud: Cloud, backend: Backend, target: Backend, since: datetime | None) -> list[Any]:
    """The available backups of a backend, by volume and then by the age of their data.

    Without copies of what the target itself has: copies in both directions would never end.

    :param since: created at this time or later.
    """
    services = backup_rows.services(cloud.context)
    wanted = Filter(
        services=[one for one in services if owner_by(one, cloud) == backend],
        status=fields.BackupStatus.AVAILABLE,
        since=since,
    )
    copies = backup_rows.with_property(cloud.context, COPY_OF)
    by_volume: dict[str, list[str]] = defaultdict(list)
    for row in backup_rows.rows(cloud.context, wanted):
        origin = copies.get(row.id)
        if origin is None or not _is_on(target, origin, cloud):
            by_volume[row.volume_id].append(row.id)
    found = [one for ids in by_volume.values() for one in _in_order(cloud, ids)]
    return [one for one in found if one.status == fields.BackupStatus.AVAILABLE]


def _in_order(cloud: Cloud, ids: list[str]) -> Iterator[Any]:
    of_volume = backup_rows.objects_of(cloud.context, ids)
    yield from sorted(of_volume, key=lambda one: (one.data_timestamp or one.created_at, one.id))


def _is_on(target: Backend, backup_id: str, cloud: Cloud) -> bool:
    return any(
        owner_by(one.service, cloud) == target
        for one in backup_rows.objects_of(cloud.context, [backup_id])
    )


def children_of(context: Any, backup: Any) -> list[str]:
    """The IDs of the existing incrementals that build on a backup, in whatever state."""
    found = objects.BackupList.get_all(context.elevated(), filters={"parent_id": backup.id})
    return sorted(one.id for one in found)
