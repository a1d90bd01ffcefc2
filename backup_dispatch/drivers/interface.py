# SPDX-License-Identifier: Apache-2.0
"""What a backend's driver may offer beside Cinder's own methods.

Any subclass of ``cinder.backup.driver.BackupDriver`` is a backend. Each protocol here is one thing
that such a driver may offer in addition; all are optional, and none has to be inherited from: a
driver that has the methods offers it. :func:`backup_dispatch.drivers.offers.offered` looks it up.

A ``backup`` is Cinder's ``Backup`` object. A driver object is created for one operation, in that
operation's context, and its methods are called from one thread at a time. Any other exception
than those listed here means that the backend does not answer: it proves nothing about a backup.

``backup_dispatch.testing`` checks what a driver offers against these promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO, Protocol, runtime_checkable

Progress = Callable[[int, int], None]
"""Called repeatedly with the bytes done and the total; an exception from it ends the work."""

Step = tuple[str, str, str]
"""One thing that was checked: a noun for it (``login``); its state; and a text.

The state is one of ``up``, ``warn`` (it works, but the operator should read the text), ``unknown``
(it could not be determined), ``unwritable`` (no backup can be created, existing ones can be
restored and deleted) and ``down``. The text is empty if it is up; else one line that says what is
wrong, where, and the remedy.
"""


# Whose backup it is


@runtime_checkable
class SupportsHolds(Protocol):
    """Reports whether it has the data of a backup."""

    def holds(self, backup: Any) -> bool | None:
        """Whether anything of the backup's data is stored at this backend.

        Called for imported backups, whose record names no backend, and before records are
        rewritten. The record may be another driver's, and be imported under another ID: use
        ``container`` and ``service_metadata``.

        :returns: True or False only if that is certain, since on a False a record may be deleted;
            None if it is not known, because the backend does not answer or cannot determine it.
        :raises Exception: equivalent to None; the text is shown.
        """


@runtime_checkable
class SupportsMayHold(Protocol):
    """Reports from a record alone whether a backup could be one of its own."""

    @staticmethod
    def may_hold(backup: Any) -> bool:
        """Whether the record could be one that this driver has written.

        A static method, called on the class, also while the backend is down: it must neither
        connect nor read the database. Must not raise.

        :returns: False only if no backend of this class can have data of the backup.
        """


# Reading a backup back


@runtime_checkable
class SupportsVerify(Protocol):
    """Verifies a backup by itself."""

    def verify(self, backup: Any, progress: Progress) -> Iterable[str]:
        """Read all that a restore of the backup would read, and check it; write nothing.

        :param progress: with bytes of the volume.
        :returns: the proven damage, one line each; nothing if the backup can be restored.
        :raises Exception: it could not be read for a reason other than damage, such as an outage.
        """


@runtime_checkable
class SupportsVerifySample(Protocol):
    """Verifies a part of a backup by itself."""

    def verify_sample(
        self, backup: Any, progress: Progress, *, share: float, seed: int
    ) -> tuple[Iterable[str], int, int]:
        """Like :meth:`SupportsVerify.verify`, for a random sample.

        :param share: of the backup, above 0 and up to 1; at least one block is drawn.
        :param seed: the same one draws the same blocks of the same backup.
        :returns: the damage, one line each; how many blocks were drawn; and of how many.
        :raises Exception: it could not be read for a reason other than damage.
        """


class MissingRange(Protocol):
    """A range of the volume that cannot be read back."""

    @property
    def offset(self) -> int:
        """Its first byte."""

    @property
    def length(self) -> int:
        """Its length in bytes."""

    @property
    def reason(self) -> str:
        """What was found in its place."""


@runtime_checkable
class SupportsSalvage(Protocol):
    """Reads the undamaged data of a damaged backup."""

    def salvage(
        self, backup: Any, file: BinaryIO, progress: Progress
    ) -> tuple[int, Sequence[MissingRange]]:
        """Write the undamaged data of the backup to a file at its offsets, and leave out the rest.

        :param file: a regular file, open for writing and empty, which the caller closes; what is
            left out must read as zeros.
        :param progress: with bytes of the volume.
        :returns: the volume's size in bytes; and the missing ranges, in order, without overlaps.
        :raises Exception: no data of the backup is found, or the backend does not answer.
        """


class BackupData(Protocol):
    """The volume as a backup holds it, readable at any offset until it is closed."""

    @property
    def size(self) -> int:
        """The volume's size in bytes."""

    def extents(self) -> Iterator[tuple[int, int]]:
        """The ranges that may hold anything but zeros: offset and length, in order, no overlaps.

        May take as long as reading all metadata of the backup.

        :raises Exception: the backend does not answer.
        """

    def read_into(self, offset: int, buffer: memoryview) -> Sequence[MissingRange]:
        """Fill the buffer with the volume's bytes from an offset on, each verified.

        May be called from several threads at once. What a backup has lost because it was deleted
        meanwhile is not damage.

        :returns: the damaged ranges among them, in order, whose bytes in the buffer are zeros.
        :raises ValueError: the volume ends before the buffer is full.
        :raises Exception: the backend does not answer, or the backup was deleted meanwhile; the
            buffer's contents are undefined.
        """

    def close(self) -> None:
        """Give back what reading needed, such as an attachment; may be called twice.

        Called when no read is in progress.
        """


@runtime_checkable
class SupportsRandomAccess(Protocol):
    """Opens a backup for reading at any offset, without restoring it."""

    def open_data(self, backup: Any) -> BackupData:
        """Open a finished backup; nothing is written anywhere.

        :raises Exception: no data of the backup is found, or the backend does not answer.
        """


@runtime_checkable
class SupportsVolumeMetadata(Protocol):
    """Returns what a backup says of its volume, so that a copy of it says the same."""

    def volume_metadata(self, backup: Any) -> str | None:
        """What Cinder's ``get_metadata`` returned when the backup was made.

        :returns: None if none was stored.
        :raises Exception: the backend does not answer, or what is stored cannot be read.
        """


@runtime_checkable
class SupportsStoredSize(Protocol):
    """Reports how much space a backup takes."""

    def stored_size(self, backup: Any) -> int | None:
        """Bytes that are stored for this backup alone, without those of its parents.

        :returns: None if not known, for example before the backup is finished.
        :raises Exception: the backend does not answer.
        """


# What no record names


class Orphan(Protocol):
    """A container that no record of this Cinder names."""

    @property
    def name(self) -> str:
        """Its name, as :meth:`SupportsOrphans.remove_orphan` takes it."""

    @property
    def tenant(self) -> str:
        """Its location, in the backend's own terms."""

    @property
    def size_gib(self) -> int:
        """Its size in GiB."""

    @property
    def created(self) -> datetime | None:
        """The time of creation, in UTC; None if not known."""

    @property
    def backups(self) -> Sequence[str] | None:
        """The ids of the backups in it; None if it was not read."""

    @property
    def doubt(self) -> str:
        """Why it is not removed; empty if it provably belongs to this Cinder."""


@runtime_checkable
class SupportsOrphans(Protocol):
    """Finds and removes containers that no record names."""

    def orphans(self) -> Iterable[Orphan]:
        """The containers of this backend that no record of this Cinder names; changes nothing.

        Other Cinders may use the same backend: what may be theirs is reported with a ``doubt``.

        :raises Exception: the backend or the database does not answer.
        """

    def remove_orphan(self, name: str) -> None:
        """Remove one of them, after checking again: it must still be an orphan, without doubt.

        :raises Exception: it is no longer an orphan, or it could not be removed.
        """


# Incrementals


@runtime_checkable
class SupportsForget(Protocol):
    """Deletes a backup that has incrementals, which can still be restored."""

    @property
    def children_stand_alone(self) -> bool:
        """Whether :meth:`forget` may be called.

        A class attribute: what retention would delete is told without a driver object, for which a
        property of the object counts as False.
        """

    def forget(self, backup: Any) -> None:
        """Delete the backup, except what its incrementals need.

        The caller has set the record to ``deleting`` and removes it afterwards. A backup without
        stored data is not an error.

        :raises Exception: it may not be deleted; call it again.
        """


# While an operation runs


@runtime_checkable
class SupportsProgress(Protocol):
    """Reports its progress, so that a hanging operation is ended, and a slow one is not."""

    def report_progress_to(self, tell: Callable[[str], None]) -> None:
        """Keep the function to call whenever an operation makes progress.

        Called before each operation. An operation that has called ``tell("reading tape 7")`` once,
        and then not for ``backup_dispatch_stall_timeout`` seconds, is ended. Of a text that begins
        as ``tell("300 of 1000 bytes done")`` users see the percentage.

        :param tell: may be called from any thread. It raises once the operation has been ended: let
            the exception end the driver's own work.
        """


@runtime_checkable
class SupportsFigures(Protocol):
    """Reports in numbers what an operation moves, for metrics and reports."""

    def figures(self) -> Mapping[str, float]:
        """What the operation under way, or else the last one, has moved so far.

        Called at any time and from any thread: it must neither block nor log.

        :returns: numbers by the names in :mod:`backup_dispatch.counting.figures`, such as bytes
            ``read`` and ``stored``; what is not known is left out.
        """


# Checks


@runtime_checkable
class SupportsExamine(Protocol):
    """Can be examined without changing anything."""

    def examine(self) -> Iterable[Step]:
        """Check the options, the backend, and this host; change nothing anywhere.

        Takes seconds, not minutes. Preferably a generator: what it yielded before it hung or raised
        is kept. Without this method no driver object is created, since constructors may connect.

        :raises Exception: the backend is down.
        """


@runtime_checkable
class SupportsTryOut(Protocol):
    """Can test whether it stores and returns data."""

    def try_out(self) -> Iterable[Step]:
        """Write something small, read it back, compare it and delete it.

        It leaves nothing behind, even if a step fails or it is interrupted; the text names what
        could not be removed.

        :raises Exception: the backend is down.
        """


@runtime_checkable
class SupportsDriverOptions(Protocol):
    """Takes its configuration as an argument, and reports which options it reads."""

    @staticmethod
    def get_driver_options() -> Sequence[Any]:
        """The oslo.config options that the driver reads; others in its section are refused."""


ALL: tuple[type[Any], ...] = (
    SupportsDriverOptions,
    SupportsExamine,
    SupportsFigures,
    SupportsForget,
    SupportsHolds,
    SupportsMayHold,
    SupportsOrphans,
    SupportsProgress,
    SupportsRandomAccess,
    SupportsSalvage,
    SupportsStoredSize,
    SupportsTryOut,
    SupportsVerify,
    SupportsVerifySample,
    SupportsVolumeMetadata,
)
"""All capabilities that a driver may offer."""
