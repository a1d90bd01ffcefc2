# SPDX-License-Identifier: Apache-2.0
"""A backup that stays open, for reading at any offset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from datera_backup.cinder_record import Location
from datera_backup.engine import RandomAccess
from datera_backup.engine.recovery import Missing
from datera_backup.error_mapping import translated
from datera_backup.native_thread import in_native_thread
from datera_backup.operations.restore_backup import home_and_reader
from datera_backup.storage.attachments import Attachments


class OpenBackup:
    """All containers that hold a block of a backup, attached to this host until it is closed.

    Nothing is written. The cluster's other users are not kept from anything: backups are appended
    to the same containers, and this one may be deleted, which ends each later read of it.

    :param subject: what it is, for messages.
    """

    def __init__(self, attachments: Attachments, location: Location, subject: str) -> None:
        """Attach them.

        :raises ContainerError: the backup is not there, or cannot be read.
        :raises BackupFailed: a container cannot be attached.
        """
        self._subject = subject
        with ExitStack() as stack:
            _, backup = stack.enter_context(home_and_reader(attachments, location))
            self._data = in_native_thread(RandomAccess, backup)
            self._attached = stack.pop_all()

    @property
    def size(self) -> int:
        """The volume's size in bytes."""
        return self._data.size

    def extents(self) -> Iterator[tuple[int, int]]:
        """The ranges that may hold anything but zeros: offset and length, in order."""
        ranges = self._data.extents()
        while True:
            with translated(self._subject):
                one = in_native_thread(next, ranges, None)
            if one is None:
                return
            yield one

    def read_into(self, offset: int, buffer: memoryview) -> list[Missing]:
        """Fill the buffer from an offset on, each block verified, and return what is damaged.

        :raises BackupIncomplete: the backup was deleted meanwhile.
        :raises BackupFailed: a container's device no longer answers.
        """
        with translated(self._subject):
            return in_native_thread(self._data.read_into, offset, buffer)

    def close(self) -> None:
        """Detach them; what cannot be detached is noted, and tried again by the next use."""
        self._attached.close()
