# SPDX-License-Identifier: Apache-2.0
"""How far a backup or a restore is, where users see it: in a property of the backup, while it runs.

A thread of its own looks at the bytes that the operation has moved, so that neither the data nor
the watch over the operation ever waits for the database. What cannot be seen is not shown.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cinder import context as cinder_context
from cinder.objects import fields
from cinder.volume import volume_utils
from oslo_log import log as logging
from oslo_utils import timeutils

from backup_dispatch import backup_rows
from backup_dispatch.backup_rows import PROGRESS
from backup_dispatch.calls.stall import Operation
from backup_dispatch.errors import reason_of

LOG = logging.getLogger(__name__)

INTERVAL = 15.0
"""Seconds between two changes of the property."""

LOGGED = 20
"""How many changes are made for one line in the log."""

_RECENT = 4
_WHILE = (fields.BackupStatus.CREATING, fields.BackupStatus.RESTORING)
_MB = 1000**2
_GB = 1000**3
_MINUTE = 60
_HOUR = 3600


class Looks:
    """When to look; to be replaced in tests."""

    def now(self) -> float:
        """Seconds since an arbitrary moment."""
        return time.monotonic()

    def wait(self, ended: threading.Event) -> bool:
        """Wait until the operation has ended, or it is time to look.

        :returns: whether it has ended.
        """
        return ended.wait(INTERVAL)


LOOKS = Looks()


@contextmanager
def progress_shown(
    backup: Any, operation: Operation, total: int, *, notify: bool
) -> Iterator[None]:
    """Show how far the operation is, while the block runs.

    :param total: bytes that will be moved, unless the driver reports it; 0 if unknown.
    :param notify: whether to send Cinder's notification of a backup's progress besides.
    """
    shown = _Shown(backup, operation, total, notify=notify)
    thread = threading.Thread(target=shown.run, name=f"progress of {operation.what}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        shown.end()


class _Shown:
    def __init__(self, backup: Any, operation: Operation, total: int, *, notify: bool) -> None:
        self._backup = backup
        self._operation = operation
        self._total = total
        self._notify = notify
        self._context = cinder_context.get_admin_context()
        self._ended = threading.Event()
        self._writing = threading.Lock()
        self._is_set = False
        self._looks = 0
        self._seen: deque[tuple[float, int]] = deque([(LOOKS.now(), 0)], maxlen=_RECENT + 1)

    def run(self) -> None:
        """Show it again and again until the end."""
        while not LOOKS.wait(self._ended):
            with self._writing:
                if self._ended.is_set():
                    return
                try:
                    self._show()
                except Exception as error:
                    LOG.debug("Progress is not shown: %s", reason_of(error))

    def end(self) -> None:
        """Remove the property; after this it is not set again."""
        self._ended.set()
        with self._writing:
            if not self._is_set:
                return
            try:
                self._set(None, fields.BackupStatus.ALL)
            except Exception as error:
                LOG.warning(
                    "Property %s of backup %s could not be removed: %s",
                    PROGRESS,
                    self._backup.id,
                    reason_of(error),
                )

    def _show(self) -> None:
        done, total = self._operation.moved_bytes.of(self._total)
        if not done:
            return
        self._seen.append((LOOKS.now(), done))
        text = told(list(self._seen), total)
        self._is_set = True
        self._set(f"{text} ({timeutils.utcnow():%H:%M} UTC)", _WHILE)
        self._looks += 1
        level = logging.INFO if self._looks % LOGGED == 0 else logging.DEBUG
        LOG.log(level, "The %s: %s.", self._operation.what, text)
        if self._notify and total:
            volume_utils.notify_about_backup_usage(
                self._context,
                self._backup,
                "createprogress",
                extra_usage_info={"backup_percent": min(done * 100 / total, 100)},
            )

    def _set(self, text: str | None, statuses: Any) -> None:
        backup_rows.set_properties(self._context, self._backup.id, {PROGRESS: text}, statuses)


def told(seen: list[tuple[float, int]], total: int) -> str:
    """How far it is, how fast, and how long it will take, as far as that is known.

    :param seen: times in seconds, and the bytes that were done then; the last one is now.
    :param total: bytes in all; 0 if unknown.
    """
    (before, had), (now, done) = seen[0], seen[-1]
    rate = (done - had) / (now - before) if now > before else 0.0
    words = [
        f"{min(done / total, 1.0):.0%}".replace("%", " %") if total else f"{done / _GB:.1f} GB"
    ]
    words.append(f"{rate / _MB:.0f} MB/s")
    if total and rate > 0:
        words.append(f"{_long(max(total - done, 0) / rate)} left")
    return ", ".join(words)


def _long(seconds: float) -> str:
    if seconds < _MINUTE:
        return "less than a minute"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.0f} h"
