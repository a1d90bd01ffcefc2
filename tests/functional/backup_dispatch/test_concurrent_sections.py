# SPDX-License-Identifier: Apache-2.0
"""Four backends of two drivers at work at once: each keeps to the values of its own section."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import Process, this_process
from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.fixtures.backends.contract_backends import datera_options
from tests.fixtures.cinder.database import threads_writing_in_turn

pytestmark = pytest.mark.release

DISPATCHER = "backup_driver = backup_dispatch.driver.BackupDispatcher"
POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
DATERA = "datera_backup.driver.DateraBackupDriver"
MIB = 2**20


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(state_dir=tmp_path / "array") as running:
        brick.install("iqn.1993-08.org.debian:01:testhost")
        yield running
        brick.uninstall()


@pytest.fixture
def cinder(start_cinder: Callable[..., Any], emulator: Emulator) -> Iterator[Any]:
    from datera_backup.storage.backend import forget_backends

    reach = datera_options(emulator)
    sections = [
        f"[{name}]\nbackup_driver = posix\nbackup_posix_path = $state_path/{name}\n"
        f"backup_compression_algorithm = {algorithm}\n"
        for name, algorithm in (("east", "zlib"), ("west", "zstd"))
    ] + [
        f"[{name}]\nbackup_driver = datera\nbackup_datera_tenant_id = /root/{name}\n"
        f"backup_datera_compression_algorithm = {algorithm}\n{reach}"
        for name, algorithm in (("red", "zlib"), ("blue", "none"))
    ]
    yield start_cinder(
        defaults=f"{DISPATCHER}\nenabled_backup_backends = east, west, red, blue",
        sections="\n".join(sections),
    )
    this_process().stop_checking()
    forget_backends()


def test_each_backend_reads_its_own_section_in_native_threads(
    cinder: Any, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("east", "west", "red", "blue")
    volumes = {name: cinder.create_volume(1, name=name) for name in names}
    for number, volume in enumerate(volumes.values()):
        cinder.write(volume, number * MIB, bytes([number + 1]) * MIB)
    meet_in_the_drivers(len(names), monkeypatch)
    with threads_writing_in_turn(), ThreadPoolExecutor(len(names)) as pool:
        made = list(pool.map(lambda name: cinder.create_backup(volumes[name], f"{name}_1"), names))
        backups = dict(zip(names, made, strict=True))
        assert {name: one.service for name, one in backups.items()} == {
            "east": POSIX, "west": f"{POSIX}@west", "red": DATERA, "blue": f"{DATERA}@blue",
        }, cinder.failures  # fmt: skip
        assert {one.status for one in made} == {"available"}, cinder.failures
        restored = list(pool.map(cinder.restore_backup, made))
    for volume, back in zip(volumes.values(), restored, strict=True):
        assert cinder.first_difference(volume, back) is None

    assert compressions(tmp_path / "east", backups["east"]) == {"zlib"}
    assert compressions(tmp_path / "west", backups["west"]) == {"zstd"}
    # A mebibyte of the same byte: compressed and as it is.
    assert stored_by("red", emulator, backups) < MIB < stored_by("blue", emulator, backups)


def stored_by(name: str, emulator: Emulator, backups: dict[str, Any]) -> int:
    """Bytes that the one container in the backend's own tenant takes."""
    (container,) = emulator.cluster.app_instances_of(f"/root/{name}")
    assert container.name == f"backup-{backups[name].id}"
    ((_, volume),) = container.volumes()
    return emulator.cluster.files.path(volume.file).stat().st_blocks * 512


def meet_in_the_drivers(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no backend's driver begin before all others are about to."""
    together = threading.Barrier(number, timeout=60)
    running = Process.running

    def meeting(process: Process, backup_id: str) -> Any:
        together.wait()
        return running(process, backup_id)

    monkeypatch.setattr(Process, "running", meeting)


def compressions(folder: Path, backup: Any) -> set[str]:
    """How the stored chunks of a backup are compressed."""
    (file,) = folder.rglob(f"*_backup_{backup.id}_metadata")
    chunks = [chunk for one in json.loads(file.read_text())["objects"] for chunk in one.values()]
    return {chunk["compression"] for chunk in chunks}
