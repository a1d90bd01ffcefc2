# SPDX-License-Identifier: Apache-2.0
"""Get back what is sound of a backup, with the cluster."""

from __future__ import annotations

from contextlib import ExitStack
from typing import BinaryIO

from oslo_log import log as logging

from datera_backup.attachment import Attachments
from datera_backup.container import FileDevice
from datera_backup.engine import FileSink, Progress, Settings
from datera_backup.engine.salvaging import Salvaged, Salvaging
from datera_backup.errors import (
    AbsenceUnproven,
    AttachFailed,
    BackupFailed,
    ContainerGone,
    NotOurs,
)
from datera_backup.native import in_native_thread
from datera_backup.progress import Watch
from datera_backup.record import Location

LOG = logging.getLogger(__name__)


def salvage(
    attachments: Attachments,
    location: Location,
    file: BinaryIO,
    watch: Watch,
    settings: Settings,
) -> Salvaged:
    """Write what is sound of a backup, from all containers of its chain that there still are.

    :param file: open for writing, and empty.
    :raises ContainerError: nothing of the backup can be found.
    """

    def tell(done: int, total: int) -> None:
        watch.check()
        watch.report(Progress(done, total, 0))

    with ExitStack() as stack:
        devices = []
        for name in attachments.chain_of(location.container):
            try:
                devices.append(FileDevice(stack.enter_context(attachments.opened(name))))
            except (ContainerGone, AbsenceUnproven, AttachFailed, NotOurs) as missing:
                LOG.warning("What lies in it is missing: %s", missing)
        if not devices:
            raise BackupFailed(f"No container of the chain of {location.container} can be attached")
        salvaging = in_native_thread(Salvaging, devices, tell)
        reader = in_native_thread(salvaging.reader, location.backup_id)
        file.truncate(reader.commit.source_size)
        sink = FileSink(file.fileno())
        return in_native_thread(salvaging.salvage, reader, sink, settings, tell)
