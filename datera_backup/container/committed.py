# SPDX-License-Identifier: Apache-2.0
"""Reading a commit record, and what must be committed before anything is written."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from datera_backup.container.copies import Copies
from datera_backup.container.device import Device
from datera_backup.container.errors import CommitDamaged, LayoutDamaged
from datera_backup.container.format import commit as commits
from datera_backup.container.format.commit import Commit
from datera_backup.container.format.log_record import COMMIT, RecordRef
from datera_backup.container.format.superblock import EntryState, Superblock
from datera_backup.container.log import peek


def read(copies: Copies, container_id: UUID, backup_id: UUID, ref: RecordRef) -> Commit:
    """Read the commit record of a backup.

    :raises CommitDamaged: it is not the one that was written, and neither is its copy.
    :raises ContainerTooNew: it names what this version does not know.
    """

    def damaged(reason: str) -> CommitDamaged:
        return CommitDamaged(
            f"The commit record of backup {backup_id} in container {container_id} at byte "
            f"{ref.offset} is damaged: {reason}."
        )

    payload = copies.read(ref, (COMMIT, 0, 0), commits.MAX_PAYLOAD, damaged)
    try:
        commit = commits.decode(payload)
    except ValueError as exc:
        raise damaged(str(exc)) from exc
    if (commit.backup_id, commit.container_id) != (backup_id, container_id):
        raise damaged(f"it is of backup {commit.backup_id} in {commit.container_id}")
    return commit


def require(block: Superblock, living: Collection[UUID], damaged_slots: Collection[int]) -> None:
    """Check that backups that are known to be good are committed in the superblock.

    :raises LayoutDamaged: one is not.
    """
    committed = {entry.backup_id for entry in block.entries if entry.state is EntryState.COMMITTED}
    lost = set(living) - committed
    if lost:
        names = ", ".join(sorted(map(str, lost)))
        raise LayoutDamaged(
            f"Container {block.container_id} should hold backup {names}, but its superblock "
            f"(generation {block.generation}, damaged slots: {list(damaged_slots) or 'none'}) "
            "does not have them as committed; nothing was written."
        )


def require_newest(device: Device, block: Superblock) -> None:
    """Check that nobody has written behind the log by a later state of the superblock.

    :raises LayoutDamaged: the superblock is older than what lies there.
    """
    found = peek(device, block.tail, lambda header, at: header.offset == at)
    if found is None or found.owner.container_id != block.container_id:
        return
    # What failed or was deleted was begun by this state of the superblock, or by one before.
    if found.owner.generation > block.generation:
        raise LayoutDamaged(
            f"The superblock of container {block.container_id} (generation {block.generation}) is "
            f"older than backup {found.owner.backup_id}, which was begun behind its log in "
            f"generation {found.owner.generation}; nothing was written."
        )
