# SPDX-License-Identifier: Apache-2.0
"""Backing up a source into a container."""

from __future__ import annotations

from datera_backup.container import BackupReader, BackupWriter, Commit
from datera_backup.engine.job import Job
from datera_backup.engine.settings import Settings
from datera_backup.engine.source import Source


class BackupJob(Job[Commit]):
    """Reads a source, stores what is new of it, and commits.

    A job that fails or is cancelled commits nothing: the container keeps the backup as begun, and
    ``Container.drop`` or the next ``Container.begin`` takes its range back.
    """

    def __init__(
        self,
        source: Source,
        writer: BackupWriter,
        parent: BackupReader | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        :param parent: the backup that ``writer.parent_id`` names.
        :raises GeometryMismatch: the writer does not have the parent's geometry.
        :raises ValueError: ``parent`` is not the writer's, or the source has another size.
        """
        raise NotImplementedError
