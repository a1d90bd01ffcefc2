# SPDX-License-Identifier: Apache-2.0
"""Copies of encrypted volumes' backups: each has a key of its own, which goes with it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.backends.five_backends import switch_to
from tests.fixtures.cinder.keys_in_memory import KeysInMemory

Run = Callable[..., Any]

FIXED = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def keys() -> Iterator[dict[str, Any]]:
    KeysInMemory.keys.clear()
    yield KeysInMemory.keys
    KeysInMemory.keys.clear()


@pytest.fixture
def begin(start_cinder: Callable[..., Any], shelf: Path) -> Iterator[Callable[[str], Any]]:
    from backup_dispatch.process import this_process

    def begin(manager: str = "") -> Any:
        lines = (
            "backup_driver = backup_dispatch.driver.BackupDispatcher",
            "enabled_backup_backends = posix, shelf",
        )
        section = f"[shelf]\nbackup_driver = posix\nbackup_posix_path = {shelf}\n"
        return start_cinder(defaults="\n".join(lines), sections=section + manager)

    yield begin
    this_process().stop_checking()


IN_MEMORY = "[key_manager]\nbackend = tests.fixtures.cinder.keys_in_memory.KeysInMemory\n"


def encrypted_volume(cinder: Any, key: str) -> Any:
    volume = cinder.create_volume(1)
    volume.encryption_key_id = key
    volume.save()
    cinder.write(volume, 0, b"ciphertext" * 1000)
    return volume


@pytest.mark.release
def test_a_copy_has_a_clone_of_the_key_which_goes_with_the_copy_alone(
    begin: Callable[[str], Any], keys: dict[str, Any], run: Run
) -> None:
    cinder = begin(IN_MEMORY)
    manager = KeysInMemory(None)
    volume = encrypted_volume(cinder, manager.create_key(cinder.context, "AES", 256))
    source = cinder.create_backup(volume, "shelf_1")
    assert source.status == "available", source.fail_reason
    assert len(keys) == 2
    copies = []
    for owner in ((), ("--owner", "b" * 32)):
        ended = run("copy", source.id, "--to", "posix", *owner, "-f", "json")
        assert ended.code == 0, ended.err
        copies.append(cinder.backup(ended.json[0]["Copy"]))
    ids = {volume.encryption_key_id, source.encryption_key_id}
    ids |= {one.encryption_key_id for one in copies}
    assert ids == set(keys)
    assert len(ids) == 4
    assert len({content for content, _ in keys.values()}) == 1
    # The source's key goes with the source.
    assert cinder.delete_backup(source) is None
    assert source.encryption_key_id not in keys
    switch_to(cinder, "posix")
    restored = cinder.restore_backup(copies[0])
    assert restored.status == "available", cinder.failures
    assert restored.encryption_key_id in keys
    assert restored.encryption_key_id not in ids
    assert cinder.first_difference(restored, volume) is None
    assert cinder.delete_backup(copies[0]) is None
    assert copies[0].encryption_key_id not in keys
    assert copies[1].encryption_key_id in keys


def test_a_moved_backup_leaves_no_key_behind(
    begin: Callable[[str], Any], keys: dict[str, Any], run: Run
) -> None:
    cinder = begin(IN_MEMORY)
    manager = KeysInMemory(None)
    volume = encrypted_volume(cinder, manager.create_key(cinder.context, "AES", 256))
    source = cinder.create_backup(volume, "shelf_1")
    ended = run("copy", source.id, "--to", "posix", "--move", "--yes", "-f", "json")
    assert ended.code == 0, ended.err
    copy = cinder.backup(ended.json[0]["Copy"])
    assert set(keys) == {volume.encryption_key_id, copy.encryption_key_id}


@pytest.mark.faults
def test_a_key_that_cannot_be_cloned_is_said_and_nothing_is_left(
    begin: Callable[[str], Any], keys: dict[str, Any], run: Run, tmp_path: Path
) -> None:
    cinder = begin(IN_MEMORY)
    manager = KeysInMemory(None)
    volume = encrypted_volume(cinder, manager.create_key(cinder.context, "AES", 256))
    source = cinder.create_backup(volume, "shelf_1")
    del keys[source.encryption_key_id]
    ended = run("copy", source.id, "--to", "posix")
    assert ended.code == 1
    assert "its key could not be cloned" in ended.err
    assert [one.id for one in cinder.backups.get_all(cinder.context)] == [source.id]
    assert not [path for path in (tmp_path / "posix").rglob("*") if path.is_file()]
    assert set(keys) == {volume.encryption_key_id}


def test_with_the_fixed_key_a_copy_has_the_one_that_there_is(
    begin: Callable[..., Any], run: Run
) -> None:
    cinder = begin()
    volume = encrypted_volume(cinder, FIXED)
    source = cinder.create_backup(volume, "shelf_1")
    ended = run("copy", source.id, "--to", "posix", "-f", "json")
    assert ended.code == 0, ended.err
    copy = cinder.backup(ended.json[0]["Copy"])
    assert copy.encryption_key_id == FIXED
    assert cinder.delete_backup(source) is None
    switch_to(cinder, "posix")
    restored = cinder.restore_backup(copy)
    assert (restored.status, restored.encryption_key_id) == ("available", FIXED)
    assert cinder.first_difference(restored, volume) is None
