# SPDX-License-Identifier: Apache-2.0
"""A backup's record for a backend: a copy, whose writes are refused once nobody waits for it.

The manager continues with its own object: what a late driver sets must not be saved by the
manager either.
"""

from __future__ import annotations

import copy
from typing import Any

from cinder.objects.backup import Backup

from backup_dispatch.calls.stall import Operation


class FencedBackup(Backup):
    """A record that can be changed only until its operation is abandoned."""

    _operation: Operation

    @classmethod
    def obj_name(cls) -> str:
        """The name of its class in Cinder, also in messages."""
        return str(Backup.obj_name())

    def save(self) -> None:
        """Save what was changed.

        :raises Abandoned: the operation has been ended.
        """
        self._operation.require()
        super().save()

    def destroy(self) -> None:
        """Delete the record.

        :raises Abandoned: the operation has been ended.
        """
        self._operation.require()
        super().destroy()

    def refresh(self) -> None:
        """Read the record again, which replaces all of the object's fields."""
        operation = self._operation
        super().refresh()
        self._operation = operation


def fenced(backup: Any, operation: Operation) -> FencedBackup:
    """A copy of the record whose writes end when the operation is abandoned."""
    copied = FencedBackup()
    copied.__dict__.update(vars(backup.obj_clone()))
    # A clone loses which of the properties are new; unchanged ones must not be written.
    copied._orig_metadata = dict(backup._orig_metadata)
    # as_read_deleted() modifies the context, which two threads would share.
    copied._context = copy.copy(backup._context)
    copied._operation = operation
    return copied


def take_over(backup: Any, copied: FencedBackup) -> None:
    """Copy to the manager's object all that the driver changed in its copy, saved or not."""
    context = backup._context
    vars(backup).clear()
    vars(backup).update(vars(copied))
    del backup._operation
    backup._context = context
