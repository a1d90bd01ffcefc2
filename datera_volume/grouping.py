# SPDX-License-Identifier: Apache-2.0
"""The driver's part for groups of volumes whose snapshots must be of one moment.

The cluster takes snapshots of one moment of the volumes of one app instance, and each volume of
Cinder's is an app instance of its own. So what makes the snapshots of a group consistent is that
nobody can write to any of its volumes while they are taken: no host is let in, and none is let in
meanwhile. A group of one volume is always consistent. Anything else is refused, never faked.

Groups whose type does not ask for consistency are left to Cinder's generic code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from cinder import exception
from cinder.objects import fields
from cinder.volume import volume_utils
from oslo_log import log as logging

from datera_volume.attaching import Attaching
from datera_volume.lookup import instance_of

LOG = logging.getLogger(__name__)

Update = dict[str, Any]
AVAILABLE = fields.GroupStatus.AVAILABLE
DELETED = fields.GroupStatus.DELETED
ERROR_DELETING = fields.GroupStatus.ERROR_DELETING


class Grouping(Attaching):
    """Consistent groups; every method leaves other groups to Cinder."""

    def create_group(self, context: Any, group: Any) -> Update:
        """Nothing on the cluster: a group is a word of Cinder's."""
        _consistent(group)
        return {"status": AVAILABLE}

    def update_group(
        self, context: Any, group: Any, add_volumes: Any = None, remove_volumes: Any = None
    ) -> tuple[None, None, None]:
        """Nothing on the cluster."""
        _consistent(group)
        return None, None, None

    def delete_group(
        self, context: Any, group: Any, volumes: Sequence[Any]
    ) -> tuple[Update, list[Update]]:
        """Delete its volumes."""
        _consistent(group)
        return _deleted(volumes, self.delete_volume)

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
        """Make its volumes from a group's snapshot, or from a group that nobody writes to.

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
        with self._still(list(sources.values())):
            return _made(
                volumes,
                lambda one: self.create_cloned_volume(one, sources[one.source_volid]),
                self.delete_volume,
            )

    def create_group_snapshot(
        self, context: Any, group_snapshot: Any, snapshots: Sequence[Any]
    ) -> tuple[Update, list[Update]]:
        """Take a snapshot of each volume while nobody writes to any of them.

        :raises InvalidVolume: a host is attached to one of several volumes.
        """
        _consistent(group_snapshot)
        with self._still([snapshot.volume for snapshot in snapshots]):
            return _made(snapshots, self.create_snapshot, self.delete_snapshot)

    def delete_group_snapshot(
        self, context: Any, group_snapshot: Any, snapshots: Sequence[Any]
    ) -> tuple[Update, list[Update]]:
        """Delete its snapshots."""
        _consistent(group_snapshot)
        return _deleted(snapshots, self.delete_snapshot)

    @contextmanager
    def _still(self, volumes: Sequence[Any]) -> Iterator[None]:
        """Let nobody in to any of these volumes inside; nobody may be in.

        :raises InvalidVolume: somebody is, and there are several.
        """
        with ExitStack() as locks:
            # In one order, whoever asks: two groups may share no volume, but calls may be repeated.
            for volume in sorted(volumes, key=lambda one: str(one.id)):
                locks.enter_context(self._attachments_of(volume))
            if len(volumes) > 1:
                self._refuse_writers(volumes)
            yield

    def _refuse_writers(self, volumes: Sequence[Any]) -> None:
        for volume in volumes:
            with self._doing("Looking who uses volume %s", volume.id):
                ai = instance_of(self._tenant(volume), volume.name_id)
            storage = ai.storage_instance
            # Who stands in the list of what is offline cannot write; attaching would switch it on.
            if ai.online and (
                storage.initiators or storage.initiator_groups or storage.open_to_all
            ):
                raise exception.InvalidVolume(
                    reason=f"Volume {volume.id} is attached: the cluster can take a consistent "
                    f"snapshot of several volumes only while no host is attached to any of them"
                )


def _consistent(group: Any) -> None:
    """Leave every other group to Cinder.

    :raises NotImplementedError: which is how Cinder wants to be told so.
    """
    if not volume_utils.is_group_a_cg_snapshot_type(group):
        raise NotImplementedError


def _made(
    ones: Sequence[Any], make: Callable[[Any], Any], unmake: Callable[[Any], None]
) -> tuple[Update, list[Update]]:
    """Make all or none, and say so in Cinder's form."""
    updates: list[Update] = []
    made: list[Any] = []
    try:
        for one in ones:
            updates.append({**(make(one) or {}), "id": one.id, "status": AVAILABLE})
            made.append(one)
    except Exception:
        for one in made:
            try:
                unmake(one)
            except Exception as exc:
                LOG.warning("%s may be left of a group that failed: %s", one.id, exc)
        raise
    return {"status": AVAILABLE}, updates


def _deleted(ones: Sequence[Any], delete: Callable[[Any], None]) -> tuple[Update, list[Update]]:
    """Delete all that can be deleted, and say in Cinder's form what could not."""
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
