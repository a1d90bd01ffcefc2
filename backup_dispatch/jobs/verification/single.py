# SPDX-License-Identifier: Apache-2.0
"""Verifying one backup: finding who has it and what it builds on, and reading it."""

from __future__ import annotations

from typing import Any, Protocol

from cinder.objects import fields

from backup_dispatch.backends.configured import Backend
from backup_dispatch.drivers.interface import Progress
from backup_dispatch.drivers.verification import SampleRequest, Verified, verified
from backup_dispatch.errors import BackendDown, BackendFailed, OwnerUnresolved
from backup_dispatch.lineage import chain_of

_UNFINISHED = (fields.BackupStatus.CREATING, fields.BackupStatus.DELETING)


class Cloud(Protocol):
    """The records, and the way to the backends."""

    @property
    def context(self) -> Any:
        """An administrator's."""

    def owner_by(self, service: str | None) -> Backend | None:
        """The enabled backend that a record with this ``service`` names, or None."""

    def owner(self, backup: Any) -> Backend:
        """The backend that has the backup's data.

        :raises OwnerUnresolved: that is not certain.
        """

    def driver(self, backend: Backend, backup: Any) -> Any:
        """A driver object for an operation on the backup.

        :raises BackendDown: the backend is not up.
        :raises BackendFailed: the object cannot be created.
        """


def question_of(backup: Any) -> str:
    """What a verification asks, for the lines about what is not known."""
    return f"whether backup {backup.id} can be restored"


def unknown(why: str) -> Verified:
    """A verification that read nothing."""
    return Verified("nothing", unknown=[why])


class Unreachable(Exception):
    """Nothing of the backup can be read at present; ``__cause__`` is the error.

    :ivar owner: the backend that has it, if that is known.
    :ivar found: the same as the result of a verification.
    """

    def __init__(self, owner: Backend | None, found: Verified) -> None:
        super().__init__(found.unknown[0])
        self.owner = owner
        self.found = found


def reached(cloud: Cloud, backup: Any) -> tuple[Backend, Any]:
    """The backend that has the backup, and a driver object to read it with.

    :raises Unreachable: there is none at present.
    """
    question = question_of(backup)
    if backup.status in _UNFINISHED:
        raise Unreachable(None, unknown(f"{question}: it is {backup.status}"))
    owner = None
    try:
        owner = cloud.owner(backup)
        return owner, cloud.driver(owner, backup)
    except (OwnerUnresolved, BackendDown, BackendFailed) as error:
        raise Unreachable(owner, unknown(f"{question}: {error.full_text}")) from error


def verify_whole(
    cloud: Cloud,
    driver: Any,
    backup: Any,
    progress: Progress,
    sample: SampleRequest | None = None,
) -> Verified:
    """Read all that a restore of the backup would read, or a sample of it.

    :raises SampleRefused: it cannot be read partially.
    """
    question = question_of(backup)
    chain = chain_of(cloud.context, backup)
    if chain.circular:
        return unknown(f"{question}: {chain.broken}")
    found = verified(driver, chain.backups, progress, sample)
    if chain.broken and found.needs_records:
        found.unknown.append(f"{question}: {chain.broken}")
    return found
