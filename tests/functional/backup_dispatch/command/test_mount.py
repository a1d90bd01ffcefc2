# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch mount``: a backup is a file, as the volume was, and can only be read."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from tests.fixtures import mounting
from tests.functional.backup_dispatch.command.test_salvage import spoil

pytestmark = pytest.mark.skipif(bool(mounting.why_not()), reason=mounting.why_not())

Run = Callable[..., Any]
Start = Callable[..., Any]

MIB = 2**20
SIZE = 16 * MIB
"""Of the tests' volumes of 1 GiB: drivers back up what there is."""

BLOCK = 2**16


class Mounted:
    """A mount of this process, in a thread of its own."""

    def __init__(self, folder: Path, ended: list[Any]) -> None:
        self.folder = folder
        self.file = folder / "volume.raw"
        self._ended = ended

    @property
    def result(self) -> Any:
        """How the command ended, after the mount."""
        (ended,) = self._ended
        return ended

    def read(self, offset: int, length: int) -> bytes:
        with self.file.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), length, offset)


@pytest.fixture
def mounted(run: Run, tmp_path: Path) -> Callable[..., Any]:
    """Mount a backup while a block runs."""

    @contextmanager
    def mounted(backup: Any, *more: str) -> Iterator[Mounted]:
        folder = tmp_path / "mnt"
        folder.mkdir(exist_ok=True)
        ended: list[Any] = []
        thread = threading.Thread(
            target=lambda: ended.append(run("mount", backup.id, str(folder), "-f", "json", *more))
        )
        thread.start()
        mounting.once_mounted(folder, lambda: bool(ended))
        try:
            yield Mounted(folder, ended)
        finally:
            with suppress(subprocess.CalledProcessError):
                mounting.unmount(folder)
            thread.join(60)
        assert not os.path.ismount(folder)

    return mounted


def errno_of(read: Callable[[], object]) -> int | None:
    try:
        read()
    except OSError as error:
        return error.errno
    return None


def test_each_backend_s_backup_is_a_file_like_the_volume(
    four_backups: dict[str, Any], cloud_of_four: Any, mounted: Any
) -> None:
    folder = os.getcwd()
    for backend in ("datera", "posix", "swift", "shelf"):
        backup = four_backups[f"{backend}_2"]
        restored = cloud_of_four.restore_backup(backup)
        with mounted(backup) as mount:
            require_read_only(mount, backup)
            assert mount.read(0, SIZE) == cloud_of_four.read(restored, 0, SIZE)
            assert mount.read(SIZE - 3, 10) == cloud_of_four.read(restored, SIZE - 3, 3)
            assert mount.read(SIZE, 10) == b""
            # libfuse goes to "/", where a relative path of cinder.conf would be another one.
            assert os.getcwd() == folder
        told = mount.result.json
        assert mount.result.code == 0, mount.result.err
        assert told.pop("read") >= SIZE
        assert told == {
            "backup": backup.id,
            "backend": backend,
            "directory": str(mount.folder),
            "encrypted": False,
            "read_from": "where it lies, each block verified",
            "size": SIZE,
            "damage": [],
            "not_known": [],
        }
        assert f"fusermount3 -u {mount.folder}" in mount.result.err


def require_read_only(mount: Mounted, backup: Any) -> None:
    assert os.listdir(mount.folder) == ["volume.raw"]
    status = mount.file.stat()
    assert (status.st_size, status.st_mode & 0o777, status.st_uid) == (SIZE, 0o400, os.getuid())
    assert int(status.st_mtime) == int(backup.data_timestamp.timestamp())
    for change in (
        lambda: mount.file.open("r+b"),
        (mount.folder / "new").touch,
        mount.file.unlink,
    ):
        assert errno_of(change) in (errno.EROFS, errno.EACCES)


def test_copy_of_a_sparse_backup_is_sparse(
    start_dispatching: Start, mounted: Any, tmp_path: Path
) -> None:
    cinder = start_dispatching(secondaries="")
    volume = cinder.create_volume(1)
    cinder.write(volume, 3 * MIB, b"text" * 1000)
    with mounted(cinder.create_backup(volume, "posix_1")) as mount:
        copy = tmp_path / "copy"
        subprocess.run(["cp", "--sparse=always", mount.file, copy], check=True)
    assert copy.stat().st_blocks * 512 <= 64 * 1024
    assert copy.read_bytes() == cinder.read(volume, 0, SIZE)


def test_damaged_block_is_an_error_and_its_neighbours_are_read(
    cloud_of_four: Any, mounted: Any, emulator: Emulator
) -> None:
    volume = cloud_of_four.create_volume(1)
    noise = random.Random(1).randbytes(8 * BLOCK)
    cloud_of_four.write(volume, MIB, noise)
    backup = cloud_of_four.create_backup(volume, "datera_1")
    assert backup.status == "available", backup.fail_reason
    spoil(backup, emulator, noise[2 * BLOCK : 2 * BLOCK + 64])
    at = MIB + 2 * BLOCK
    with mounted(backup) as mount:
        assert errno_of(lambda: mount.read(at + 4096, 10)) == errno.EIO
        assert mount.read(MIB, 2 * BLOCK) == noise[: 2 * BLOCK]
        assert mount.read(at + BLOCK, 5 * BLOCK) == noise[3 * BLOCK :]
        assert errno_of(lambda: mount.read(at, 10)) == errno.EIO
    ended = mount.result
    assert ended.code == 1
    assert ended.err.count(f"Block {at // BLOCK} of backup {backup.id}") == len(
        ended.json["damage"]
    )
    assert all(f"Block {at // BLOCK} of backup" in line for line in ended.json["damage"])
    assert ended.json["not_known"] == []


@pytest.mark.parametrize("backend", ["datera", "posix"])
def test_backup_that_is_deleted_meanwhile_is_an_error_and_not_damage(
    cloud_of_four: Any, mounted: Any, backend: str
) -> None:
    volume = cloud_of_four.create_volume(1)
    cloud_of_four.write(volume, 0, random.Random(1).randbytes(MIB))
    cloud_of_four.create_backup(volume, f"{backend}_1")
    cloud_of_four.write(volume, 8 * MIB, random.Random(2).randbytes(MIB))
    backup = cloud_of_four.create_backup(volume, f"{backend}_2", incremental=True)
    assert backup.status == "available", backup.fail_reason
    with mounted(backup) as mount:
        mount.read(0, 4096)
        assert cloud_of_four.delete_backup(backup) is None, cloud_of_four.failures
        assert errno_of(lambda: mount.read(8 * MIB + 5, 4096)) == errno.EIO
    ended = mount.result
    assert ended.code == 3
    assert ended.json["damage"] == []
    assert any("deleted" in line for line in ended.json["not_known"]), ended.json
    assert "deleted" in ended.err


def test_deletion_of_a_container_s_last_backup_is_repeated_after_the_mount(
    cloud_of_four: Any, mounted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.storage import attachments

    monkeypatch.setattr(attachments, "LEAVE_SECONDS", 0.0)
    volume = cloud_of_four.create_volume(1)
    cloud_of_four.write(volume, 0, random.Random(1).randbytes(MIB))
    backup = cloud_of_four.create_backup(volume, "datera_1")
    with mounted(backup) as mount:
        refused = cloud_of_four.delete_backup(backup)
        assert refused.status == "error"
        assert "an operation on this host still uses it" in refused.fail_reason
        assert errno_of(lambda: mount.read(5, 4096)) == errno.EIO
    assert any("was deleted from" in line for line in mount.result.json["not_known"])
    assert cloud_of_four.delete_backup(backup) is None, cloud_of_four.failures


def test_nothing_stays_attached_behind_a_mount(
    cloud_of_four: Any, mounted: Any, emulator: Emulator
) -> None:
    backup = cloud_of_four.create_backup(cloud_of_four.create_volume(1), "datera_1")
    instance = emulator.cluster.app_instance_named("/root", backup.container)

    def is_online() -> bool:
        assert instance is not None
        return instance.admin_state == "online"

    with mounted(backup):
        assert is_online()
    assert not is_online()


def test_a_driver_that_only_restores_is_mounted_from_scratch_space(
    chain: Any, mounted: Any, tmp_path: Path
) -> None:
    (chain.tapes / chain.tape.id).write_bytes(b"tape" * 1000)
    with mounted(chain.tape, "--scratch", str(tmp_path)) as mount:
        assert mount.read(0, 4004) == b"tape" * 1000 + bytes(4)
    assert mount.result.json["read_from"].startswith("restored into scratch space")


def test_encrypted_volume_s_backup_is_said_to_be_ciphertext(
    chain: Any, mounted: Any, tmp_path: Path
) -> None:
    chain.write(chain.full, encryption_key_id="0f7b4f3e-0000-4000-8000-000000000001")
    with mounted(chain.full) as mount:
        mount.read(0, 1)
    assert mount.result.json["encrypted"] is True
    assert "volume.raw is a LUKS device" in mount.result.err


# Refused


def not_empty(folder: Path) -> str:
    folder.mkdir()
    (folder / "mine").touch()
    return "is not empty"


def a_file(folder: Path) -> str:
    folder.touch()
    return "Not a directory"


def absent(folder: Path) -> str:
    return "No such file or directory"


@pytest.mark.parametrize("prepare", [not_empty, a_file, absent])
def test_directory_that_is_no_empty_one_is_refused_before_anything_is_read(
    start_dispatching: Start, run: Run, tmp_path: Path, prepare: Callable[[Path], str]
) -> None:
    start_dispatching(secondaries="")
    said = prepare(tmp_path / "mnt")
    # Not even the backup is there.
    ended = run("mount", "a-backup", str(tmp_path / "mnt"))
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_unknown_and_unfinished_backups_are_refused(chain: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "mnt").mkdir()
    ended = run("mount", "no-such-backup", str(tmp_path / "mnt"))
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    chain.write(chain.full, status="error")
    ended = run("mount", chain.full.id, str(tmp_path / "mnt"))
    assert ended.code == 1
    assert f"Backup {chain.full.id} is error: only a finished one" in ended.err
    ended = run("mount", chain.backup.id, str(tmp_path / "mnt"), "--scratch", "/nonexistent")
    assert (ended.code, "/nonexistent cannot be written" in ended.err) == (2, True)


def test_dry_run_opens_the_backup_and_mounts_nothing(chain: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "mnt").mkdir()
    ended = run("mount", chain.backup.id, str(tmp_path / "mnt"), "--dry-run", "-f", "json")
    assert (ended.code, ended.json["size"]) == (0, SIZE)
    assert not os.path.ismount(tmp_path / "mnt")
    chain.file("_metadata").unlink()
    ended = run("mount", chain.backup.id, str(tmp_path / "mnt"), "--dry-run")
    assert ended.code == 1
    assert "cannot be opened" in ended.err
