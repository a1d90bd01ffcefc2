# SPDX-License-Identifier: Apache-2.0
"""Consistent groups: snapshots of several volumes at one point in time.

The cluster can create consistent snapshots of the volumes of one app instance, and each Cinder
volume is an app instance of its own. So the snapshots of a group are consistent only if no host can
write to any of its volumes meanwhile: none is attached, and none can attach. A group of one volume
is always consistent. Anything else is refused.

Groups whose type does not ask for consistency are left to Cinder's generic code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from cinder import exception, utils
from cinder.objects import fields
from cinder.volume import volume_utils
from oslo_log import log as logging

from datera_volume.features.attach import AttachFeature
from datera_volume.operations.lookup import instance_of

LOG = logging.getLogger(__name__)

Update = dict[str, Any]
AVAILABLE = fields.GroupStatus.AVAILABLE
DELETED = fields.GroupStatus.DELETED
ERROR_DELETING = fields.GroupStatus.ERROR_DELETING


class GroupsFeature(AttachFeature):
    """Consistent groups; other groups are left to Cinder by every method."""

    def create_group(self, context: Any, group: Any) -> Update:
        """Do nothing on the cluster: a group exists in Cinder only."""
        _consistent(group)
        return {"status": AVAILABLE}

    def update_group(
        self, context: Any, group: Any, add_volumes: Any = None, remove_volumes: Any = None
    ) -> tuple[None, None, None]:
        """Do nothing on the cluster."""
        _consistent(group)
        return None, None, None

    def delete_group(
        self, context: Any, group: Any, volumes: Sequence[Any]
    ) -> tuple[Update, list[Update]]:
        """Delete its volumes."""
        _consistent(group)
        return _deleted(volumes, self._delete_volume_and_locks)

    def create_group_from_src(  # noqa: PLR0917 - Cinder's interface
        self,
        context: Any,
        group: Any,
        volumes: Sequence[Any],
        group_snapshot: Any = None,
        snapshots: Sequence[Any] | None = None,
        source_group: Any = None,
        source_vols: Sequence[Any] | None = None,
    ) -> tuple[Update, list[Update]]:
        """Create its volumes from a group snapshot, or from a group that is not attached.

        :raises InvalidVolume: a host is attached to a volume of the source group.
        """
        _consistent(group)
        if snapshots:
            by_id = {snapshot.id: snapshot for snapshot in snapshots}
            return _made(
                volumes,
                lambda one: self.create_volume_from_snapshot(one, by_id[one.snapshot_id]),
                self.delete_volume,
            )
        sources = {source.id: source for source in source_vols or ()}
        with self._quiesced(list(sources.values())):
            return _made(
                volumes,
                lambda one: self.create_cloned_volume(one, sources[one.source_volid]),
                self.delete_volume,
            )

    def create_group_snapshot(
        self, context: Any, group_snapshot: Any, snapshots: Sequence[Any]
    ) -> tuple[Update, list[Update]]:
        """Create a snapshot of each volume while no host is attached to any of them.

        :raises InvalidVolume: a host is attached to one of several volumes.
        """
        _consistent(group_snapshot)
        with self._quiesced([snapshot.volume for snapshot in snapshots]):
            return _made(snapshots, self.create_snapshot, self.delete_snapshot)

    def delete_group_snapshot(
        self, context: Any, group_snapshot: Any, snapshots: Sequence[Any]
    ) -> tuple[Update, list[Update]]:
        """Delete its snapshots."""
        _consistent(group_snapshot)
        return _deleted(snapshots, self._delete_snapshot_and_locks)

    # Cinder removes the lock files only of volumes and snapshots that it deletes itself.

    def _delete_volume_and_locks(self, volume: Any) -> None:
        self.delete_volume(volume)
        utils.clean_volume_file_locks(volume.id, self)

    def _delete_snapshot_and_locks(self, snapshot: Any) -> None:
        self.delete_snapshot(snapshot)
        utils.clean_snapshot_file_locks(snapshot.id, self)

    @contextmanager
    def _quiesced(self, volumes: Sequence[Any]) -> Iterator[None]:
        """Prevent attachments of these volumes while the block runs.

        :raises InvalidVolume: there are several, and a host is attached to one of them.
        """
        with ExitStack() as locks:
            # In one order: two groups cannot share a volume, but calls may be repeated.
            for volume in sorted(volumes, key=lambda one: str(one.id)):
                locks.enter_context(self._attachments_of(volume))
            if len(volumes) > 1:
                self._refuse_writers(volumes)
            yield

    def _refuse_writers(self, volumes: Sequence[Any]) -> None:
        for volume in volumes:
            with self._operation("Checking the attachments of volume %s", volume.id):
                ai = instance_of(self._tenant(volume), volume.name_id)
            storage = ai.storage_instance
            # No host can write while it is offline; attaching would set it online.
            if ai.online and (storage.has_initiators or storage.open_to_all):
                raise exception.InvalidVolume(
                    reason=f"Volume {volume.id} is attached: the cluster can take a consistent "
                    f"snapshot of several volumes only while no host is attached to any of them"
                )


def _consistent(group: Any) -> None:
    """Leave every other group to Cinder.

    :raises NotImplementedError: which makes Cinder use its generic code.
    """
    if not volume_utils.is_group_a_cg_snapshot_type(group):
        raise NotImplementedError


def _made(
    ones: Sequence[Any], make: Callable[[Any], Any], unmake: Callable[[Any], None]
) -> tuple[Update, list[Update]]:
    """Create all or none, and return Cinder's model updates."""
    updates: list[Update] = []
    begun: list[Any] = []
    try:
        for one in ones:
            begun.append(one)
            updates.append({**(make(one) or {}), "id": one.id, "status": AVAILABLE})
    except Exception:
        # Of the one that failed, too, something may be there.
        for one in begun:
            try:
                unmake(one)
            except Exception as exc:
                LOG.warning("%s may be left over from a group that failed: %s", one.id, exc)
        raise
    return {"status": AVAILABLE}, updates


def _deleted(ones: Sequence[Any], delete: Callable[[Any], None]) -> tuple[Update, list[Update]]:
    """Delete all that can be deleted, and return Cinder's model updates."""
    updates: list[Update] = []
    for one in ones:
        status = DELETED
        try:
            delete(one)
        except exception.CinderException as exc:
            LOG.error("%s of a group could not be deleted: %s", one.id, exc)
            status = ERROR_DELETING
        updates.append({"id": one.id, "status": status})
    failed = any(update["status"] == ERROR_DELETING for update in updates)
    return {"status": ERROR_DELETING if failed else DELETED}, updates
