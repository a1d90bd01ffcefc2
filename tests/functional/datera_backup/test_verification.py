# SPDX-License-Identifier: Apache-2.0
"""What the driver says of a backup when it is asked to verify it."""

from __future__ import annotations

import errno
import os
import random
from typing import Any

import pytest

MIB = 2**20


@pytest.fixture
def backup(cloud: Any) -> Any:
    volume = cloud.create_volume(1)
    cloud.write(volume, 0, random.Random(1).randbytes(2 * MIB))
    made = cloud.create_backup(volume)
    assert made.status == "available", made.fail_reason
    return made


def verified(cloud: Any, backup: Any) -> list[str]:
    from datera_backup.driver import DateraBackupDriver

    lines: list[str] = DateraBackupDriver(cloud.context).verify(backup, lambda _done, _of: None)
    return lines


def test_verification_stands_whatever_closing_the_container_meets(
    cloud: Any, backup: Any, array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.errors import ClusterFailed
    from datera_backup.storage.attachments import Attachments

    leave = Attachments._leave

    def fail(attachments: Attachments, name: str) -> None:
        leave(attachments, name)
        raise ClusterFailed("the cluster went away")

    monkeypatch.setattr(Attachments, "_leave", fail)
    assert verified(cloud, backup) == []
    file = array.data_file(backup.container)
    with file.open("r+b") as device:
        # The rest of the file, as large as the container may become, is a hole.
        at = device.read(16 * MIB).index(random.Random(1).randbytes(64))
        device.seek(at)
        device.write(b"damage")
    (line,) = verified(cloud, backup)
    assert f"of backup {backup.id}" in line
    assert "is damaged in container" in line


def test_verification_says_of_a_device_that_it_reports_an_error(
    cloud: Any, backup: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.container import FileDevice

    pread = FileDevice.pread

    def fail(device: FileDevice, offset: int, buffer: memoryview) -> None:
        if offset >= 2 * MIB:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        pread(device, offset, buffer)

    monkeypatch.setattr(FileDevice, "pread", fail)
    (line,) = verified(cloud, backup)
    assert f"backup {backup.id}" in line
    assert "Input/output error" in line


def test_verification_of_a_cluster_that_is_away_is_no_damage(
    cloud: Any, backup: Any, array: Any
) -> None:
    from datera_backup.errors import ClusterFailed

    array.emulator.stop()
    try:
        with pytest.raises(ClusterFailed, match=f"Backup {backup.id}"):
            verified(cloud, backup)
    finally:
        array.emulator.start()
