# SPDX-License-Identifier: Apache-2.0
"""Salvage a backup from the containers on the cluster."""

from __future__ import annotations

from contextlib import ExitStack
from typing import BinaryIO

from oslo_log import log as logging

from datera_backup.cinder_record import Location
from datera_backup.container import FileDevice
from datera_backup.engine import EngineSettings, FileSink, Progress
from datera_backup.engine.salvage import Salvaged, Salvaging
from datera_backup.errors import (
    AttachFailed,
    BackupFailed,
    ContainerAbsenceUnproven,
    ContainerGone,
    NotOurs,
)
from datera_backup.native_thread import in_native_thread
from datera_backup.operations.progress import Watch
from datera_backup.storage.attachments import Attachments

LOG = logging.getLogger(__name__)


def salvage(
    attachments: Attachments,
    location: Location,
    file: BinaryIO,
    watch: Watch,
    settings: EngineSettings,
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
            except (ContainerGone, ContainerAbsenceUnproven, AttachFailed, NotOurs) as missing:
                LOG.warning("Salvaging without a container: %s", missing)
        if not devices:
            raise BackupFailed(f"No container of the chain of {location.container} can be attached")
        salvaging = in_native_thread(Salvaging, devices, tell)
        reader = in_native_thread(salvaging.reader, location.backup_id)
        file.truncate(reader.commit.source_size)
        sink = FileSink(file.fileno())
        return in_native_thread(salvaging.salvage, reader, sink, settings, tell)
