# SPDX-License-Identifier: Apache-2.0
"""Which backups build on which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backup_dispatch.jobs.standing.model import Known


@dataclass(frozen=True)
class Chain:
    """A full backup and those that build on it, the oldest first."""

    members: Sequence[Known]

    @property
    def newest(self) -> datetime:
        """When its last one was made."""
        return self.members[-1].created


def chains_of(backups: Sequence[Known]) -> list[Chain]:
    """The chains of some backups, the one with the newest backup last.

    A backup whose parent has no record begins a chain, and so does one in a circle.

    :param backups: the oldest first.
    """
    by_id = {one.id: one for one in backups}
    root_of: dict[str, str] = {}

    def root(one: Known) -> str:
        path: dict[str, None] = {}
        while one.id not in root_of and one.parent in by_id and one.id not in path:
            path[one.id] = None
            one = by_id[one.parent]
        found = root_of.setdefault(one.id, one.id)
        for above in path:
            root_of.setdefault(above, found)
        return found

    members: dict[str, list[Known]] = {}
    for one in backups:
        members.setdefault(root(one), []).append(one)
    return sorted((Chain(found) for found in members.values()), key=lambda chain: chain.newest)
