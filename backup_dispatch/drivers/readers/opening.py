# SPDX-License-Identifier: Apache-2.0
"""Opens a backup with the best reader that there is for its driver."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backup_dispatch.drivers.families import is_chunked
from backup_dispatch.drivers.interface import BackupData, Progress, SupportsRandomAccess
from backup_dispatch.drivers.offers import offered
from backup_dispatch.drivers.readers.chunked import ChunkedData
from backup_dispatch.drivers.readers.scratch import ScratchData


def _unheard(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def needs_scratch(driver: Any) -> bool:
    """Whether all data of a backup of this driver is restored into scratch space first.

    It then takes as much of it as the volume has data, and what is read is as right as the
    driver's restore. All other readers verify each block whenever it is read.
    """
    return offered(driver, SupportsRandomAccess) is None and not is_chunked(driver)


def open_reader(
    driver: Any, chain: Sequence[Any], scratch: Path, progress: Progress = _unheard
) -> BackupData:
    """Open a finished backup for reading at any offset; nothing is written to the backend.

    A driver that offers it opens the backup itself. For Cinder's chunked drivers, blocks are read
    from the objects that have them. With all others the backup is restored into a sparse file.

    :param driver: a driver object for this backup alone, until the reader is closed.
    :param chain: the backup, followed by its ancestors, as far as there are records.
    :param scratch: a folder for files without a name, which are gone when the reader is closed or
        the process has ended.
    :param progress: called while the backup is restored, with bytes of the volume.
    :raises DataDamaged: what is needed to find the backup's data is damaged.
    :raises VerdictUnknown: the backend does not answer, the backup was deleted meanwhile, or a
        record is missing.
    :raises ScratchFull: the scratch folder has no room for the volume's data.
    :raises Exception: whatever a driver of another kind raises.
    """
    opener = offered(driver, SupportsRandomAccess)
    if opener is not None:
        return opener.open_data(chain[0])
    if is_chunked(driver):
        return ChunkedData(driver, chain, scratch)
    return ScratchData(driver, chain[0], scratch, progress)
