# SPDX-License-Identifier: Apache-2.0
"""Getting a backup back, or only finding out whether that would go well."""

from __future__ import annotations

from dataclasses import dataclass

from datera_backup.container import BackupReader
from datera_backup.engine.job import Job
from datera_backup.engine.settings import Settings
from datera_backup.engine.sink import Sink


@dataclass(frozen=True)
class RestoreReport:
    """What was restored or verified.

    :param blocks: blocks that were read and found right.
    :param stored_bytes: bytes that they take in the containers.
    """

    blocks: int
    zero_blocks: int
    bytes_written: int
    stored_bytes: int


class RestoreJob(Job[RestoreReport]):
    """Reads each block of a backup once, verifies it, and writes it where it belongs.

    Bytes of the sink beyond the size of the backup are left as they are.
    """

    def __init__(
        self,
        backup: BackupReader,
        sink: Sink,
        *,
        write_zeros: bool,
        settings: Settings | None = None,
    ) -> None:
        """Prepare; nothing is read or written yet.

        :param write_zeros: False only where the sink is known to read as zeros.
        :raises ContainerMissing: a container of the chain was not handed in.
        :raises SinkTooSmall: the sink is smaller than the backup.
        """
        raise NotImplementedError


class VerifyJob(Job[RestoreReport]):
    """Reads and verifies the blocks of a backup without writing them anywhere."""

    def __init__(
        self,
        backup: BackupReader,
        *,
        share: float = 1.0,
        seed: int = 0,
        settings: Settings | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        :param share: of the blocks that are read, from 0 to 1, chosen by ``seed``.
        :raises ContainerMissing: a container of the chain was not handed in.
        """
        raise NotImplementedError
