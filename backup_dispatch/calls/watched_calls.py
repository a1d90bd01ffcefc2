# SPDX-License-Identifier: Apache-2.0
"""The long calls of a backend, each monitored while it runs.

An abandoned operation is failed by Cinder's manager like any other. Its thread may hang for as
long as the service runs; it can no longer change the record or the volume, nor create objects. What
it had already begun to write is named by the record and deleted with it: if the record is deleted
meanwhile, the late thread deletes again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from cinder import exception
from cinder.objects import fields
from cinder.volume import volume_utils
from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import units

from backup_dispatch import backup_rows, opts
from backup_dispatch.backends.configured import Backend
from backup_dispatch.calls import stall
from backup_dispatch.calls.progress import WatchedFile, sight_of, watched
from backup_dispatch.calls.progress_property import progress_shown
from backup_dispatch.calls.record_fence import FencedBackup, fenced, take_over
from backup_dispatch.calls.stall import Operation, Wait
from backup_dispatch.counting.counters import FAILED, OK, STALLED, Running, counters
from backup_dispatch.counting.figures import NEW, PROPERTY, READ, SHARED, kept
from backup_dispatch.drivers import chunked
from backup_dispatch.drivers.families import is_chunked
from backup_dispatch.drivers.interface import SupportsFigures, SupportsProgress
from backup_dispatch.drivers.native import below_the_proxy, in_native_threads
from backup_dispatch.drivers.offers import offered
from backup_dispatch.errors import BackendStalled, reason_of
from backup_dispatch.process import this_process

LOG = logging.getLogger(__name__)

_CREATING = fields.BackupStatus.CREATING
_GOING = (fields.BackupStatus.DELETING, fields.BackupStatus.DELETED)


def back_up(
    backend: Backend, driver: Any, backup: Any, volume_file: Any, given: Mapping[str, Any]
) -> Any:
    """Let the backend back the volume up.

    :returns: what the backend returns; None for a backup that was abandoned while it was deleted,
        as from drivers that notice the deletion.
    :raises BackendStalled: no progress within the timeout.
    """
    with _counted("backup", backend, driver) as counted:
        result = _back_up(backend, driver, backup, (volume_file, counted), given)
        # With a state of its own, as of a cancelled one, nothing is finished.
        if not (isinstance(result, Mapping) and result.get("status")):
            _keep_figures(driver, backup, counted)
        return result


def _back_up(
    backend: Backend,
    driver: Any,
    backup: Any,
    volume: tuple[Any, Running],
    given: Mapping[str, Any],
) -> Any:
    volume_file, counted = volume
    if not _timeout():
        with this_process().running(backup.id):
            return driver.backup(backup, volume_file, **given)
    operation = _operation("backup", backup, backend, driver, counted)
    file = _VolumeFile(volume_file, operation)

    def note_end(stalled: BackendStalled) -> None:
        this_process().note_stalled(backup.id)
        # At once: detaching the volume may take long.
        if not _is_going(backup):
            volume_utils.update_backup_error(backup, str(stalled))

    try:
        return _watched(
            operation,
            driver,
            backup,
            lambda record: driver.backup(record, file.shown, **given),
            around=(file.released(), this_process().running(backup.id)),
            stalled=note_end,
            may_hand_back=file.answers,
            too_late=lambda record: _delete_again_if_deleted(backend, record),
            beside=progress_shown(
                backup, operation, backup.size * units.Gi, notify=_sends_no_progress(driver)
            ),
        )
    except BackendStalled:
        if _is_going(backup):
            return None
        raise


def restore(
    backend: Backend,
    driver: Any,
    backup: Any,
    volume: tuple[str, Any],
    given: Mapping[str, Any],
) -> Any:
    """Let the backend restore the backup.

    :param volume: its ID and its file.
    :raises BackendStalled: no progress within the timeout.
    """
    volume_id, volume_file = volume
    with _counted("restore", backend, driver) as counted:
        if not _timeout():
            return driver.restore(backup, volume_id, volume_file, **given)
        operation = _operation("restore of backup", backup, backend, driver, counted)
        file = _VolumeFile(volume_file, operation)
        # Cinder's drivers write what an incremental builds on, too: nobody knows how much that is.
        total = 0 if backup.parent_id else backup.size * units.Gi
        return _watched(
            operation,
            driver,
            backup,
            lambda record: driver.restore(record, volume_id, file.shown, **given),
            around=(file.released(),),
            may_hand_back=file.answers,
            beside=progress_shown(backup, operation, total, notify=False),
        )


def delete(backend: Backend, driver: Any, backup: Any) -> Any:
    """Let the backend delete the backup.

    :raises BackendStalled: no progress within the timeout.
    """
    with _counted("delete", backend, driver) as counted:
        if not _timeout():
            return chunked.delete(driver, backup)
        # Other drivers' deletions move no data of the volume.
        operation = _operation("deletion of backup", backup, backend, driver, counted)
        return _watched(operation, driver, backup, lambda record: chunked.delete(driver, record))


def _sends_no_progress(driver: Any) -> bool:
    """Whether the driver leaves Cinder's notifications of progress to us."""
    return not is_chunked(driver) and offered(driver, SupportsProgress) is None


def forget(backend: Backend, driver: Any, backup: Any) -> None:
    """Let the backend delete a backup whose children stand alone.

    :raises BackendStalled: no progress within the timeout.
    """
    with _counted("delete", backend, driver) as counted:
        if not _timeout():
            driver.forget(backup)
            return
        operation = _operation("deletion of backup", backup, backend, driver, counted)
        _watched(operation, driver, backup, driver.forget)


def _timeout() -> float:
    return float(cfg.CONF[opts.STALL_TIMEOUT])


def _operation(
    what: str, backup: Any, backend: Backend, driver: Any, counted: Running
) -> Operation:
    return Operation(f"{what} {backup.id}", backend.name, sight_of(driver), stall.CLOCK, counted)


@contextmanager
def _counted(kind: str, backend: Backend, driver: Any) -> Iterator[Running]:
    """Count an operation, and what its driver reports of it."""
    with counters().operation(kind, backend.name, _outcome_of) as counted:
        teller = offered(driver, SupportsFigures)
        if teller is not None:
            counted.told = teller.figures
        yield counted


def _outcome_of(error: BaseException) -> str:
    if isinstance(error, exception.BackupRestoreCancel):
        return OK
    return STALLED if isinstance(error, BackendStalled) else FAILED


def _keep_figures(driver: Any, backup: Any, counted: Running) -> None:
    """Save in a property what became of the volume's bytes; a failure is no failure of the backup.

    Only that property: a user may have changed others meanwhile.
    """
    try:
        found = counted.figures
        if is_chunked(driver) and {NEW, READ} <= found.keys():
            found[SHARED] = max(0, found[READ] - found[NEW])
        text = kept(found)
        if text:
            backup_rows.set_properties(
                backup._context.elevated(), backup.id, {PROPERTY: text}, (_CREATING,)
            )
    except Exception as error:
        LOG.info("What backup %s takes could not be noted: %s", backup.id, reason_of(error))


def _watched(
    operation: Operation,
    driver: Any,
    backup: Any,
    call: Callable[[FencedBackup], Any],
    *,
    around: tuple[Any, ...] = (),
    stalled: Callable[[BackendStalled], None] = lambda _stalled: None,
    may_hand_back: Callable[[], bool] = lambda: True,
    too_late: Callable[[FencedBackup], None] = lambda _record: None,
    beside: AbstractContextManager[None] | None = None,
) -> Any:
    """Wait for a call that gets a fenced copy of the record.

    :param around: entered by the backend's thread.
    :param beside: entered by the waiting thread.
    """
    record = fenced(backup, operation)

    @contextmanager
    def surroundings() -> Iterator[None]:
        with ExitStack() as stack:
            for one in (*around, watched(driver, operation)):
                stack.enter_context(one)
            yield

    wait = Wait[Any](
        operation,
        timeout=_timeout(),
        clock=stall.CLOCK,
        around=surroundings(),
        stalled=stalled,
        may_hand_back=may_hand_back,
        too_late=lambda: too_late(record),
    )
    try:
        with beside or nullcontext():
            result = wait.run(lambda: call(record))
    except BackendStalled:
        raise
    except BaseException:
        take_over(backup, record)
        raise
    take_over(backup, record)
    return result


class _VolumeFile:
    """The file that Cinder passed, and the wrapper that the driver gets."""

    def __init__(self, file: Any, operation: Operation) -> None:
        self._file = file
        self._wrappers: list[WatchedFile] = []
        self._operation = operation
        self._probe: threading.Event | None = None
        self.shown = below_the_proxy(file, self._wrap)

    def _wrap(self, file: Any) -> WatchedFile:
        self._wrappers.append(WatchedFile(file, self._operation))
        return self._wrappers[0]

    @contextmanager
    def released(self) -> Iterator[None]:
        """Release the wrapper when the driver has ended."""
        try:
            yield
        finally:
            self._wrappers[0].release()

    def answers(self) -> bool:
        """Whether the volume answers, so that Cinder can close it.

        Closing an RBD image needs its cluster, which may be the unreachable one; under eventlet
        that would block the whole service. So it is read first, by a thread that may hang.
        """
        image = getattr(self._file, "rbd_image", None)
        if image is None:
            return True
        if self._probe is None:
            self._probe = answered = threading.Event()

            def probe() -> None:
                try:
                    in_native_threads(image).read(0, 1)
                except Exception as error:
                    LOG.info("The volume of the %s: %s", self._operation.what, reason_of(error))
                answered.set()

            threading.Thread(target=probe, daemon=True).start()
        return stall.CLOCK.wait(self._probe, 0)


def _is_going(backup: Any) -> bool:
    """Whether the record is being deleted, or is deleted."""
    return _status(backup) in _GOING


def _status(backup: Any) -> str | None:
    try:
        with backup.as_read_deleted():
            current = type(backup).get_by_id(backup._context, backup.id)
    except exception.BackupNotFound:
        return str(fields.BackupStatus.DELETED)
    return str(current.status)


def _delete_again_if_deleted(backend: Backend, record: FencedBackup) -> None:
    """A late driver may have written after the rest was deleted."""
    try:
        if _is_going(record):
            chunked.delete(backend.make(record._context), record)
            LOG.info("What backup %s still wrote after its deletion is deleted.", record.id)
    except Exception as error:
        LOG.error(
            "Backup %s was deleted while backend %s still wrote. What that has left there in %s, "
            "%s, could not be deleted: %s",
            record.id,
            backend.name,
            record.container,
            record.service_metadata,
            reason_of(error),
        )
