# SPDX-License-Identifier: Apache-2.0
"""Copies single backups, one after the other; the caller has the lock of the target."""

from __future__ import annotations

import copy as _copy
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cinder import context as cinder_context
from cinder import exception, objects
from cinder.objects import fields
from oslo_log import log as logging

from backup_dispatch.backends.configured import Backend
from backup_dispatch.drivers import chunked
from backup_dispatch.drivers.deletion import deletion_of, require_kept
from backup_dispatch.drivers.folders import refuse_outside
from backup_dispatch.drivers.interface import BackupData, Progress
from backup_dispatch.drivers.readers import open_reader
from backup_dispatch.drivers.verification import (
    SampleRequest,
    Verdict,
    can_sample,
    keeps_digests,
    verified,
)
from backup_dispatch.errors import (
    BackendFailed,
    CopyFailed,
    DataDamaged,
    DispatchError,
    SourceDamaged,
    VerdictUnknown,
    reason_of,
)
from backup_dispatch.jobs.copying import record, target
from backup_dispatch.jobs.copying.choice import Copies
from backup_dispatch.jobs.copying.keys import clone_key
from backup_dispatch.jobs.copying.request import Check, Cloud, Request, Stage
from backup_dispatch.jobs.copying.volume_file import BackupFile
from backup_dispatch.lineage import chain_of

LOG = logging.getLogger(__name__)

SAMPLE = 0.05
"""The share of a copy that is read back by ``--verify sample``."""

_READABLE = (fields.BackupStatus.AVAILABLE, fields.BackupStatus.RESTORING)
_SHOWN = 3


class Copier:
    """Makes and verifies copies at one backend.

    :ivar left: what could not be removed of the last copy that failed, one line; or empty.
    """

    def __init__(self, cloud: Cloud, request: Request, stage: Stage) -> None:
        self._cloud = cloud
        self._request = request
        self._stage = stage
        self._copies = Copies(cloud, request)
        self.left = ""

    def made(self, source: Any, owner: Backend) -> tuple[Any, str]:
        """A new copy of a backup, finished, and how it was verified.

        Whatever else happens, nothing of it is left that its record does not name.

        :param owner: the backend that has the backup.
        :raises SourceDamaged: the backup is damaged.
        :raises VerdictUnknown: something that is needed does not answer.
        :raises DispatchError: it could not be made.
        """
        self.left = ""
        if source.status not in _READABLE:
            raise CopyFailed(f"Backup {source.id} is {source.status}, not available.")
        place = self._request.target
        chain = chain_of(self._cloud.context, source).backups
        # Before there is a record: what is down now need not be cleaned up later.
        refuse_outside(self._cloud.driver(owner, source), source, owner.name)
        driver = self._cloud.driver(place, source)
        copy = record.begin(
            cinder_context.get_admin_context(),
            source,
            place,
            parent=self._copies.parent_for(source),
            project=self._request.project or source.project_id,
            snapshot_id=target.snapshot_for(driver, source),
        )
        try:
            self._require_parent(copy)
            copy.encryption_key_id = clone_key(source, self._cloud.context, copy.project_id)
            copy.save()
            self._write(copy, source, chain, owner)
            checked = self.verify(copy, source, owner)
            self._require_source(chain)
            if not record.finish(copy):
                raise _deleted(copy)
        except BaseException as error:
            self._undo(copy, error)
            raise
        return copy, checked

    def verify(self, copy: Any, source: Any, owner: Backend) -> str:
        """Read a copy back; returns how, in words.

        Where the target keeps no digests, it is compared with its source, which is read once more.

        :raises CopyFailed: it is damaged.
        :raises VerdictUnknown: that could not be found out.
        """
        if self._request.check is Check.NONE:
            return "not verified"
        driver = self._cloud.driver(self._request.target, copy)
        sample = None
        if self._request.check is Check.SAMPLE and can_sample(driver):
            sample = SampleRequest(SAMPLE, secrets.randbits(32))
        chain = chain_of(self._cloud.context, copy).backups
        with self._stage(f"verifying copy {copy.id}") as progress:
            if keeps_digests(driver):
                found = verified(driver, chain, progress, sample)
            else:
                before = chain_of(self._cloud.context, source).backups
                with self._opened(before, owner, progress) as data:
                    file = BackupFile(data, _unheard, target.size_for(driver, source))
                    found = verified(driver, chain, progress, None, file.holds_at)
                    found.damage += file.not_compared() if found.finding is Verdict.SOUND else []
        if found.finding is Verdict.DAMAGED:
            raise CopyFailed(f"Copy {copy.id} is damaged: {_some(found.damage)}")
        if found.finding is Verdict.UNKNOWN:
            raise VerdictUnknown(f"Whether copy {copy.id} is sound: {_some(found.unknown)}")
        return found.drawn or found.method

    # One copy's way

    def _write(self, copy: Any, source: Any, chain: Sequence[Any], owner: Backend) -> None:
        driver = self._cloud.driver(self._request.target, copy)
        with (
            self._stage(f"copying backup {source.id}") as progress,
            self._opened(chain, owner, progress) as data,
        ):
            with _answering(owner, source):
                metadata = target.volume_metadata(self._cloud.driver(owner, source), source)
            target.prepare(driver, source, metadata)
            file = BackupFile(data, progress, target.size_for(driver, source))
            updates = self._backed_up(driver, copy, file, source, chain)
        if updates.pop("status", fields.BackupStatus.AVAILABLE) != fields.BackupStatus.AVAILABLE:
            raise _deleted(copy)
        copy.update(updates)
        copy.save()
        _require_creating(copy)

    @contextmanager
    def _opened(
        self, chain: Sequence[Any], owner: Backend, progress: Progress
    ) -> Iterator[BackupData]:
        """Open the source, while the block runs.

        :raises SourceDamaged: none of it can be read.
        :raises VerdictUnknown: it does not answer.
        """
        source = chain[0]
        driver = self._cloud.driver(owner, source)
        try:
            data = open_reader(driver, chain, self._request.scratch, progress)
        except Exception as error:
            raise self._source_failed(source, chain, error) from error
        try:
            yield data
        finally:
            data.close()

    def _backed_up(
        self, driver: Any, copy: Any, file: BackupFile, source: Any, chain: Sequence[Any]
    ) -> dict[str, Any]:
        """Let the driver back the file up; returns what it wants in the record."""
        try:
            updates = driver.backup(copy, file, backup_metadata=True)
        except Exception as error:
            if file.damage:
                self._require_source(chain)
                raise _damaged(source, file) from error
            if file.failure:
                raise self._source_failed(source, chain, file.failure) from error
            _require_creating(copy)
            raise BackendFailed(self._request.target.name, error) from error
        if file.damage or file.failure:
            # The driver has put up with it, which must not happen.
            raise _damaged(source, file)
        return dict(updates or {})

    def _source_failed(self, source: Any, chain: Sequence[Any], error: Exception) -> DispatchError:
        for backup in chain:
            if deletion := deletion_of(backup):
                return CopyFailed(f"Backup {source.id} was not copied: {deletion}.")
        if isinstance(error, DataDamaged):
            return SourceDamaged(f"Backup {source.id} is damaged: {reason_of(error)}")
        why = error.full_text if isinstance(error, DispatchError) else reason_of(error)
        return VerdictUnknown(f"Backup {source.id} could not be read: {why}")

    def _require_parent(self, copy: Any) -> None:
        """A deletion looks for incrementals after it has set the status: one sees the other."""
        if not copy.parent_id:
            return
        try:
            parent = objects.Backup.get_by_id(self._cloud.context, copy.parent_id)
        except exception.BackupNotFound:
            parent = None
        if parent is None or parent.status != fields.BackupStatus.AVAILABLE:
            raise CopyFailed(
                f"Copy {copy.parent_id}, on which this one builds, is being deleted. Try again."
            )

    @staticmethod
    def _require_source(chain: Sequence[Any]) -> None:
        try:
            require_kept(chain)
        except VerdictUnknown as deletion:
            raise CopyFailed(f"Backup {chain[0].id} was not copied: {deletion}") from deletion

    def _undo(self, copy: Any, error: BaseException) -> None:
        """Remove what there is of a copy; what cannot be removed is for the next run."""
        try:
            driver = self._cloud.driver(self._request.target, copy)
            if record.claim_for_removal(copy, record.HALF):
                record.remove(self._cloud.context, copy, driver)
            else:
                self._delete_again(copy, driver)
        except Exception as failure:
            if not isinstance(failure, CopyFailed):
                record.note_failure(copy, reason_of(failure))
            self.left = (
                f"What there is of copy {copy.id} could not be removed, which the next run tries "
                f"again: {reason_of(failure)}"
            )
            LOG.error("%s", self.left)
        else:
            LOG.info("Copy %s was removed: %s", copy.id, reason_of(error))

    @staticmethod
    def _delete_again(copy: Any, driver: Any) -> None:
        """If somebody else has deleted the copy: more may have been written since.

        It may as well be finished, or be an error's, which is left for its owner.
        """
        now = _copy.copy(copy)
        with now.as_read_deleted():
            now.refresh()
        if now.status in (fields.BackupStatus.DELETING, fields.BackupStatus.DELETED):
            chunked.delete(driver, now)


def _unheard(_done: int, _total: int) -> None:
    """Progress that is shown otherwise."""


def _require_creating(copy: Any) -> None:
    try:
        now = objects.Backup.get_by_id(copy._context, copy.id)
    except exception.BackupNotFound as gone:
        raise _deleted(copy) from gone
    if now.status != fields.BackupStatus.CREATING:
        raise _deleted(copy)


def _deleted(copy: Any) -> CopyFailed:
    return CopyFailed(f"Copy {copy.id} was deleted while it was made.")


def _damaged(source: Any, file: BackupFile) -> SourceDamaged:
    found = [
        f"bytes {one.offset} to {one.offset + one.length}: {one.reason}" for one in file.damage
    ]
    return SourceDamaged(f"Backup {source.id} is damaged: {_some(found)}")


def _some(lines: Sequence[str]) -> str:
    more = len(lines) - _SHOWN
    return "; ".join(lines[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


@contextmanager
def _answering(owner: Backend, source: Any) -> Iterator[None]:
    """What a source's driver raises, as what it means: nothing is known of the backup."""
    try:
        yield
    except DispatchError:
        raise
    except Exception as error:
        raise VerdictUnknown(
            f"Backup {source.id}: backend {owner.name} did not say what it has of the volume's "
            f"metadata: {reason_of(error)}"
        ) from error
