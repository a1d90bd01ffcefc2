# SPDX-License-Identifier: Apache-2.0
"""The superblock: which backups a container holds, and where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from uuid import UUID


class State(IntEnum):
    """How far a backup is; the numbers are those of the format."""

    OPEN = 1
    COMMITTED = 2
    DEAD = 3


@dataclass(frozen=True)
class Entry:
    """One backup.

    :param end: the byte after its range; 0 while it is open.
    :param commit_length: bytes of the commit record, header included.
    :param changed: when the state became what it is.
    """

    backup_id: UUID
    state: State
    start: int
    end: int
    commit_offset: int
    commit_length: int
    commit_checksum: bytes
    started: datetime
    changed: datetime
