# SPDX-License-Identifier: Apache-2.0
"""Delete one backup, and each container of its chain that is no longer needed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from oslo_log import log as logging

from datera_backup import cinder_record
from datera_backup.cinder_record import Location
from datera_backup.clean_up import CleanUp
from datera_backup.container import BackupNotInContainer, Container, Remains
from datera_backup.errors import (
    ContainerAbsenceUnproven,
    ContainerDamaged,
    ContainerGone,
    ContainerUnreadable,
    HasIncrementals,
)
from datera_backup.native_thread import in_native_thread
from datera_backup.storage import chains, containers
from datera_backup.storage.attachments import Attachments
from datera_backup.storage.containers import repaired
from datera_backup.storage.locks import remove_locks, writer_lock

LOG = logging.getLogger(__name__)

WAIT_SECONDS = 24 * 3600.0
"""How long a deletion waits for another backup that is being written to the same chain."""


def delete(
    attachments: Attachments,
    context: Any,
    backup_id: str,
    location: Location,
    *,
    with_children: bool = False,
) -> None:
    """Delete the backup, unless another record names it; one that is gone already is no error.

    What no living backup needs any more is given back, in all containers of the chain.

    :param backup_id: the record's.
    :param with_children: whether it may go while incrementals of it live; they stay whole.
    :raises HasIncrementals: an incremental has it as its parent.
    :raises ContainerAbsenceUnproven: its container is not found, and not proven to be deleted.
    :raises ContainerBusy: another operation still uses the container.
    :raises ContainerDamaged: what is left in the container contradicts Cinder's records.
    """
    name = location.container
    lock = writer_lock(name)
    chain: Sequence[str] = ()
    with CleanUp(f"Deleting a backup from container {name}") as clean_up:
        lock.acquire(WAIT_SECONDS)
        clean_up.add("release its lock", lock.release)
        if not with_children:
            _refuse_if_parent(context, backup_id)
        other = cinder_record.other_record_at(context, backup_id, location)
        if other is not None:
            LOG.info("The data of backup %s is kept: backup %s has the same.", backup_id, other)
        else:
            try:
                chain = _doom(attachments, context, backup_id, location)
            except ContainerGone as gone:
                LOG.warning("Backup %s has nothing to delete: %s", location.backup_id, gone)
                remove_locks(name)
        clean_up.settled()
    while chain:
        chain = _reclaim_chain(attachments, context, backup_id, location, chain)


def _doom(
    attachments: Attachments, context: Any, backup_id: str, location: Location
) -> Sequence[str]:
    """Make the backup unreadable; finish the deletion if its chain is one container.

    In this order: an incremental that has read its parent before makes its container known first,
    and then looks whether the parent is still there.

    :returns: the containers of the chain, if there is more to be done.
    """
    name = location.container
    try:
        with containers.opened(attachments, name, writable=True) as home:
            try:
                in_native_thread(home.doom, location.backup_id)
            except BackupNotInContainer:
                LOG.debug("Backup %s is not in its container.", location.backup_id)
            chain = _listed(attachments, context, backup_id, location)
            if len(chain) > 1:
                return chain
            unneeded = _give_back(name, {name: home})
    except ContainerUnreadable as damage:
        LOG.warning("%s", damage)
        _delete_unreadable(attachments, context, backup_id, location, damage)
        return ()
    if unneeded:
        _refuse_if_wanted(context, location, "it holds none")
        _delete_container(attachments, context, location, name)
    return ()


def _listed(
    attachments: Attachments, context: Any, backup_id: str, location: Location
) -> Sequence[str]:
    """Return the chain as the cluster lists it.

    :raises ContainerAbsenceUnproven: it lacks the container of an incremental.
    """
    chain = attachments.chain_of(location.container)
    for child, container in cinder_record.homes_of_children(context, backup_id).items():
        if container not in chain:
            raise ContainerAbsenceUnproven(
                f"The cluster does not list container {container}, which backup {child} is in by "
                f"its record, with container {location.container}: no space is reclaimed. "
                f"Check whether its description was changed, and delete the backup again"
            )
    return chain


def _reclaim_chain(
    attachments: Attachments,
    context: Any,
    backup_id: str,
    location: Location,
    chain: Sequence[str],
) -> Sequence[str]:
    """Reclaim space that is not needed, and delete the containers that are not needed.

    :param chain: the known containers of the chain.
    :returns: all containers that exist by now, if there are more: then nothing was done.
    """
    name = location.container
    with CleanUp(f"Deleting a backup from the chain of container {name}") as clean_up:
        locks = [writer_lock(each) for each in sorted(chain)]
        # In one order, and holding none before: so no two deletions wait for one another.
        for lock in locks:
            lock.acquire(WAIT_SECONDS)
            clean_up.add("release a lock of the chain", lock.release)
        try:
            # While it waited, others may have built on what a third one has deleted since.
            by_now = _listed(attachments, context, backup_id, location)
        except ContainerGone as gone:
            LOG.debug("Another deletion has finished: %s", gone)
            clean_up.settled()
            return ()
        if not set(by_now) <= set(chain):
            clean_up.settled()
            return sorted({*by_now, *chain})
        for lock in locks:
            lock.require()
        _reclaim(attachments, context, location, by_now)
        clean_up.settled()
    return ()


def _reclaim(
    attachments: Attachments, context: Any, location: Location, chain: Sequence[str]
) -> None:
    name = location.container
    with ExitStack() as stack:
        opened, unreadable = chains.open_all(stack, attachments, chain, writable=True)
        if name in unreadable:
            # It could be read a moment ago.
            raise unreadable[name]
        if unreadable:
            LOG.warning(
                "Backup %s keeps its space until the other containers of its chain can be read: %s",
                location.backup_id,
                "; ".join(map(str, unreadable.values())),
            )
            return
        unneeded = _give_back(name, opened)
        if name in unneeded:
            _refuse_if_wanted(context, location, "it holds none")
    for each in unneeded:
        _delete_container(attachments, context, location, each)


def _delete_unreadable(
    attachments: Attachments,
    context: Any,
    backup_id: str,
    location: Location,
    damage: ContainerUnreadable,
) -> None:
    """Delete a container that cannot be read, if it is not known to be needed.

    If it is the home of no other backup, nothing is lost; that it is ours, the cluster says.

    :raises ContainerDamaged: it is needed, or may be.
    """
    name = location.container
    _refuse_if_wanted(context, location, str(damage))
    chain = _listed(attachments, context, backup_id, location)
    with ExitStack() as stack:
        others = [each for each in chain if each != name]
        opened, unreadable = chains.open_all(stack, attachments, others, writable=True)
        if unreadable or chains.is_named(name, opened):
            raise ContainerDamaged(
                f"{damage}; younger containers of its chain may need it, and nothing is deleted. "
                f"Delete the backups in them first"
            )
        # Nothing comes by there any more that would give back what was deleted in them before.
        unneeded = [*_give_back_if_free(opened), name]
    for each in unneeded:
        _delete_container(attachments, context, location, each)


def _give_back_if_free(opened: dict[str, Container]) -> list[str]:
    """Reclaim space as `_give_back` does, unless one of the containers is being written to."""
    with CleanUp("Reclaiming space in a chain") as clean_up:
        for lock in map(writer_lock, sorted(opened)):
            if not lock.try_acquire():
                clean_up.settled()
                return []
            clean_up.add("release a lock of the chain", lock.release)
        unneeded = _give_back("", opened)
        clean_up.settled()
    return unneeded


def _give_back(home: str, opened: dict[str, Container]) -> list[str]:
    """Give room back, and return the containers that hold nothing that anybody needs.

    In all of them: beside one that could not be read, earlier deletions kept their room. The home
    is the last, so that a deletion which stops half-way finds the others when it is made again.
    """
    for container in opened.values():
        in_native_thread(
            container.reclaim, [one for one in opened.values() if one is not container]
        )
    for container in opened.values():
        repaired(container)
    unneeded = [
        name
        for name, container in opened.items()
        if container.remains is Remains.EMPTY and not chains.is_named(name, opened)
    ]
    return sorted(unneeded, key=lambda name: name == home)


def _delete_container(
    attachments: Attachments, context: Any, location: Location, name: str
) -> None:
    wanted = cinder_record.wanted_in(context, name, besides=location.backup_id)
    if wanted:
        LOG.error(
            "Container %s holds no backup, and is not deleted: by its record backup %s is in it.",
            name,
            min(wanted, key=str),
        )
        return
    try:
        attachments.delete(name)
    except ContainerGone as gone:
        LOG.debug("%s", gone)
    remove_locks(name)
    LOG.info("Container %s was deleted: no backup needs it.", name)


def _refuse_if_parent(context: Any, backup_id: str) -> None:
    # Cinder's API has looked too, but only in the project of whoever asks, and some time ago. An
    # incremental that begins from now on finds its parent's state and does not begin.
    children = cinder_record.children_of(context, backup_id)
    if children:
        raise HasIncrementals(
            f"Backup {backup_id} is not deleted: backup {children[0]} is an incremental of it"
            + (f", and {len(children) - 1} more are" if len(children) > 1 else "")
        )


def _refuse_if_wanted(context: Any, location: Location, found: str) -> None:
    wanted = cinder_record.wanted_in(context, location.container, besides=location.backup_id)
    if wanted:
        raise ContainerDamaged(
            f"Container {location.container} should hold {len(wanted)} more backups, among them "
            f"{min(wanted, key=str)}, but {found}; nothing is deleted"
        )
