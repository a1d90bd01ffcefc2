# SPDX-License-Identifier: Apache-2.0
"""A run of copies: what earlier ones left is removed, then one backup after the other is copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging

from backup_dispatch.backends.configured import Backend
from backup_dispatch.drivers.families import is_ceph
from backup_dispatch.errors import (
    BackendDown,
    CopyFailed,
    DispatchError,
    OwnerUnresolved,
    SourceDamaged,
    VerdictUnknown,
    reason_of,
)
from backup_dispatch.jobs.copying import record
from backup_dispatch.jobs.copying.choice import Copies, children_of
from backup_dispatch.jobs.copying.copier import Copier
from backup_dispatch.jobs.copying.moving import remove_source
from backup_dispatch.jobs.copying.request import Cloud, Outcome, Report, Request, Stage
from backup_dispatch.jobs.locking import only_run_of

LOG = logging.getLogger(__name__)

CONF = cfg.CONF

Sources = Sequence[tuple[Any, Backend]]
"""Backups, each with the backend that has it; of a volume the oldest first."""


@contextmanager
def only_run_to(target: Backend) -> Iterator[None]:
    """Let no other run copy to the same backend meanwhile.

    :raises JobRunning: one does.
    """
    with only_run_of(f"copy-to-{target.name}"):
        yield


def clear(cloud: Cloud, backend: Backend) -> Iterator[tuple[str, str]]:
    """Remove what earlier runs left half done at a backend; the caller has the lock.

    :returns: the IDs, each with the reason why it could not be removed, or an empty text.
    """
    shared = not str(CONF.coordination.backend_url).startswith("file:")
    for backup in record.abandoned(cloud.context, backend, shared_locks=shared):
        try:
            if record.claim_for_removal(backup, [backup.status]):
                record.remove(cloud.context, backup, cloud.driver(backend, backup))
                yield backup.id, ""
        except DispatchError as error:
            yield backup.id, error.full_text


def planned(cloud: Cloud, request: Request, sources: Sources) -> Iterator[Report]:
    """What a run would do; nothing is changed."""
    copies = Copies(cloud, request)
    coming: set[tuple[str, str]] = set()
    for source, owner in sources:
        there = copies.copy_of(source)
        if there is not None and not request.move:
            yield Report(source, Outcome.THERE, there.id)
            continue
        outcome = Outcome.MOVE_PLANNED if request.move else Outcome.PLANNED
        if why := _refusal(request, source, owner):
            yield Report(source, Outcome.FAILED, reason=why)
            continue
        report = Report(source, outcome, there.id if there else None)
        if there is None:
            parent = copies.parent_for(source)
            chain = (source.volume_id, source.project_id)
            if parent is not None:
                report.parent = parent.id
            elif request.incremental and chain in coming and _makes_incrementals(request):
                report.parent = "the copy before it"
            coming.add(chain)
        yield report


def run(cloud: Cloud, request: Request, sources: Sources, stage: Stage) -> Iterator[Report]:
    """Copy the backups; with ``move``, delete those of a volume after its last, the newest first.

    The caller has the lock of the target.

    :returns: one report for each, when nothing more is done to it.
    """
    copier, copies = Copier(cloud, request, stage), Copies(cloud, request)
    for _, of_volume in groupby(sources, key=lambda one: one[0].volume_id):
        done: list[tuple[Report, Backend, Any]] = []
        for source, owner in of_volume:
            report, copy = _copied(copier, copies, request, source, owner)
            if request.move and copy is not None:
                done.append((report, owner, copy))
            else:
                yield report
        for report, owner, copy in reversed(done):
            yield _moved(cloud, copies, report, owner, copy)


def _copied(
    copier: Copier, copies: Copies, request: Request, source: Any, owner: Backend
) -> tuple[Report, Any]:
    """Copy one; without a copy in the end, the report says why."""
    report = Report(source, Outcome.COPIED)
    try:
        if why := _refusal(request, source, owner):
            raise CopyFailed(why)
        copy = copies.copy_of(source)
        if copy is None:
            copy, report.checked = copier.made(source, owner)
        else:
            report.outcome = Outcome.THERE
            if request.move:
                # Whatever it was when it was made: now the source is to be deleted.
                report.checked = copier.verify(copy, source, owner)
    except Exception as error:
        _failed(report, error)
        if copier.left:
            report.reason += f" {copier.left}"
        return report, None
    report.copy, report.parent = copy.id, copy.parent_id
    return report, copy


def _moved(cloud: Cloud, copies: Copies, report: Report, owner: Backend, copy: Any) -> Report:
    try:
        remove_source(cloud, copies, report.source, owner, copy)
    except Exception as error:
        _failed(report, error)
        report.outcome = Outcome.LEFT
    else:
        report.outcome = Outcome.MOVED
    return report


def _failed(report: Report, error: Exception) -> Report:
    LOG.info("Backup %s: %s", report.source.id, reason_of(error), exc_info=True)
    report.reason = error.full_text if isinstance(error, DispatchError) else reason_of(error)
    if isinstance(error, SourceDamaged):
        report.outcome = Outcome.DAMAGED
    elif isinstance(error, (BackendDown, OwnerUnresolved, VerdictUnknown)):
        report.outcome = Outcome.UNKNOWN
    else:
        report.outcome = Outcome.FAILED
    return report


def _refusal(request: Request, source: Any, owner: Backend) -> str:
    if owner == request.target:
        return f"Backup {source.id} is on backend {owner.name} already."
    if source.data_timestamp is None or not source.size:
        return f"The record of backup {source.id} has no size, or no time of its data."
    return ""


def _makes_incrementals(request: Request) -> bool:
    return not is_ceph(request.target.driver_class)


def refuse_parent(cloud: Cloud, source: Any) -> None:
    """Refuse to move a single backup on which others build, before anything is touched.

    :raises CopyFailed: one does.
    """
    for child in children_of(cloud.context, source):
        raise CopyFailed(
            f"Backup {source.id} cannot be moved: backup {child} builds on it. Move that one "
            "first, copy this one without --move, or move all of the backend with --from."
        )
