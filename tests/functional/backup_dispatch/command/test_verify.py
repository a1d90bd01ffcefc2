# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch verify``: damage that a restore would hand on is found and named."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.backends import recording_driver

pytestmark = pytest.mark.long

Start = Callable[..., Any]
Run = Callable[..., Any]

MIB = 2**20


class Chain:
    """A full backup and an incremental, and the files in which they lie."""

    def __init__(self, cinder: Any, root: Path, name: str = "posix") -> None:
        self.cinder = cinder
        volume = cinder.create_volume(1)
        cinder.write(volume, MIB, b"full" * 100000)
        self.full = cinder.create_backup(volume, f"{name}_1")
        cinder.write(volume, 9 * MIB, b"more" * 100000)
        self.backup = cinder.create_backup(volume, f"{name}_2", incremental=True)
        assert self.backup.status == "available", self.backup.fail_reason
        self._root = root

    def file(self, backup: Any, ending: str) -> Path:
        """The one object of the backup with that ending."""
        found: list[Path] = list((self._root / backup.container).glob(f"*{ending}"))
        assert len(found) == 1
        return found[0]

    def metadata(self, backup: Any) -> Any:
        return json.loads(self.file(backup, "_metadata").read_text())

    def rewrite(self, backup: Any, metadata: Any) -> None:
        self.file(backup, "_metadata").write_text(json.dumps(metadata))


@pytest.fixture
def chain(start_dispatching: Start, tmp_path: Path) -> Chain:
    return Chain(start_dispatching(), tmp_path / "posix")


def flip(file: Path, offset: int = 0) -> None:
    data = bytearray(file.read_bytes())
    data[offset] ^= 1
    file.write_bytes(data)


def everything_under(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file()
    }


def records_of(cinder: Any, *backups: Any) -> list[Any]:
    return [dict(cinder.backup(one.id)) for one in backups]


def test_verify_of_a_sound_chain_reads_all_of_it(chain: Chain, run: Run, tmp_path: Path) -> None:
    files = everything_under(tmp_path / "posix")
    records = records_of(chain.cinder, chain.full, chain.backup)
    ended = run("verify", "posix_2", "-f", "json")
    assert ended.code == 0, ended.err
    told = ended.json
    objects = [
        next(iter(one.values()))["length"]
        for backup in (chain.full, chain.backup)
        for one in chain.metadata(backup)["objects"]
    ]
    assert told.pop("seconds") >= 0
    assert told == {
        "backup": chain.backup.id,
        "backend": "posix",
        "result": "sound",
        "checked": "length and md5 of each object, sha256 of each block",
        "backups_read": 2,
        "read": sum(objects),
    }
    assert everything_under(tmp_path / "posix") == files
    assert records_of(chain.cinder, chain.full, chain.backup) == records


def test_a_sample_of_objects(chain: Chain, run: Run) -> None:
    whole = run("verify", chain.backup.id, "-f", "json").json
    assert "sample" not in whole
    found = []
    file = chain.file(chain.full, "-00001")
    flip(file, 20)
    for seed in range(6):
        told = run("verify", chain.backup.id, "--sample", "20", "--seed", str(seed), "-f", "json")
        assert told.json["sample"] == f"1 of 5 objects, seed {seed}"
        assert told.json["read"] < whole["read"] / 2
        assert all(file.name in line for line in told.json.get("damage", []))
        found.append(told.json["result"])
    assert set(found) == {"sound", "DAMAGED"}
    file.unlink()
    told = run("verify", chain.backup.id, "--sample", "0.1", "-f", "json").json
    assert "1 of 5 objects, seed " in told["sample"]


@pytest.mark.parametrize("share", ["0", "-1", "100.5", "some", "nan"])
def test_sample_that_is_no_percentage_is_refused(
    chain: Chain, run: Run, share: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = run("verify", chain.backup.id, f"--sample={share}")
    assert (ended.code, ended.out) == (2, "")
    assert f"{share} is no percentage above 0 and up to 100" in capsys.readouterr().err + ended.err


def test_a_seed_alone_draws_nothing(chain: Chain, run: Run) -> None:
    ended = run("verify", chain.backup.id, "--seed", "3")
    assert (ended.code, ended.out) == (2, "")
    assert "give its size with --sample" in ended.err


def flipped(chain: Chain) -> str:
    file = chain.file(chain.full, "-00002")
    flip(file, 20)
    return f"backup {chain.full.id}: object {file.name}: its zstd data is broken"


def other_data(chain: Chain) -> str:
    """Data that decompresses, and has the right length: only a digest can tell."""
    file, metadata = chain.file(chain.full, "-00001"), chain.metadata(chain.full)
    (entry,) = (one[file.name] for one in metadata["objects"] if file.name in one)
    file.write_bytes(zlib.compress(b"x" * entry["length"]))
    entry["compression"] = "zlib"
    chain.rewrite(chain.full, metadata)
    return f"backup {chain.full.id}: object {file.name}: its md5 is "


def other_data_and_md5(chain: Chain) -> str:
    """Someone wrote other data, and made the metadata fit."""
    import hashlib

    file, metadata = chain.file(chain.full, "-00001"), chain.metadata(chain.full)
    (entry,) = (one[file.name] for one in metadata["objects"] if file.name in one)
    data = bytearray(b"\0" * entry["length"])
    data[3 * 65536] = 7
    file.write_bytes(data)
    entry.update(compression="none", md5=hashlib.md5(data).hexdigest())
    chain.rewrite(chain.full, metadata)
    return f"object {file.name}: the block at byte {3 * 65536} has not the sha256 in the list"


def shorter(chain: Chain) -> str:
    file, metadata = chain.file(chain.backup, "-00001"), chain.metadata(chain.backup)
    metadata["objects"][0][file.name]["length"] += 1
    chain.rewrite(chain.backup, metadata)
    return f"backup {chain.backup.id}: object {file.name}: it has "


def gone(chain: Chain) -> str:
    file = chain.file(chain.backup, "-00001")
    file.unlink()
    return f"backup {chain.backup.id}: object {file.name} is missing"


def list_gone(chain: Chain) -> str:
    file = chain.file(chain.backup, "_sha256file")
    file.unlink()
    return f"backup {chain.backup.id}: object {file.name} is missing"


def list_torn(chain: Chain) -> str:
    file = chain.file(chain.full, "_sha256file")
    file.write_bytes(file.read_bytes()[:-300])
    return f"backup {chain.full.id}: object {file.name}: it has no list of digests"


def metadata_torn(chain: Chain) -> str:
    file = chain.file(chain.full, "_metadata")
    file.write_bytes(file.read_bytes()[:100])
    return f"backup {chain.full.id}: object {file.name}: it cannot be understood: JSONDecodeError"


def all_gone(chain: Chain) -> str:
    shutil.rmtree(chain.file(chain.full, "_metadata").parent)
    return f"backup {chain.full.id}: the backend has nothing of it"


def one_too_many(chain: Chain) -> str:
    file = chain.file(chain.full, "-00001")
    shutil.copy(file, f"{file}x")
    return f"backup {chain.full.id}: object {file.name}x is there, and its metadata does not"


def hole(chain: Chain) -> str:
    file, metadata = chain.file(chain.full, "-00002"), chain.metadata(chain.full)
    metadata["objects"] = [one for one in metadata["objects"] if file.name not in one]
    file.unlink()
    chain.rewrite(chain.full, metadata)
    return f"backup {chain.full.id}: bytes {4 * MIB} to {8 * MIB} are in no object"


def unreadable(chain: Chain) -> str:
    file = chain.file(chain.full, "-00001")
    file.unlink()
    file.mkdir()
    return f"backup {chain.full.id}: object {file.name}: it cannot be read: IsADirectoryError"


def of_another(chain: Chain) -> str:
    metadata = {**chain.metadata(chain.full), "backup_id": "another"}
    chain.rewrite(chain.full, metadata)
    return f"backup {chain.full.id}: its metadata is that of backup another"


@pytest.mark.parametrize(
    "damage",
    [
        flipped, other_data, other_data_and_md5, shorter, gone, list_gone, list_torn,
        metadata_torn, all_gone, one_too_many, hole, unreadable, of_another,
    ],
)  # fmt: skip
def test_damage_is_named(chain: Chain, run: Run, damage: Callable[[Chain], str]) -> None:
    expected = damage(chain)
    ended = run("verify", chain.backup.id, "-f", "json")
    assert ended.code == 1
    told = ended.json
    assert told["result"] == "DAMAGED"
    assert any(expected in line for line in told["damage"]), told["damage"]
    assert f"Backup {chain.backup.id} is damaged in " in ended.err


def test_a_wrong_parent_is_noticed(chain: Chain, run: Run) -> None:
    """Both are sound, and do not belong together."""
    volume = chain.cinder.create_volume(1)
    chain.cinder.write(volume, 3 * MIB, b"another" * 1000)
    other = chain.cinder.create_backup(volume, "posix_other")
    chain.backup.parent_id = other.id
    chain.backup.save()
    told = run("verify", chain.backup.id, "-f", "json").json
    made_on, differs = told["damage"]
    assert f"it was made on backup {chain.full.id}, not on {other.id}" in made_on
    assert f"the sha256 of the block at byte {MIB}" in differs


def test_one_object_is_in_memory_at_a_time(
    chain: Chain, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracemalloc

    # What is imported at the first time, and maybe compiled, is none of the verification's memory.
    assert run("verify", chain.backup.id).code == 0
    tracemalloc.start()
    try:
        assert run("verify", chain.backup.id).code == 0
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * MIB, "objects of 4 MiB; 16 MiB in all"


def test_only_a_terminal_sees_how_far_it_is(chain: Chain, run: Run) -> None:
    assert "%" not in run("verify", chain.backup.id).err
    on_terminal = run("verify", chain.backup.id, terminal=True).err
    assert "] " in on_terminal
    assert " of 16." in on_terminal
    last = on_terminal.rpartition("\r")[2]
    assert last.startswith("Read 16."), "the line is gone when it is done"


def test_a_driver_without_digests_is_restored_onto_nothing(
    start_dispatching: Start, run: Run
) -> None:
    cinder = start_dispatching(secondaries="tests.fixtures.backends.recording_driver")
    volume = cinder.create_volume(1)
    backup = cinder.create_backup(volume, "recording_driver_1")
    assert backup.status == "available", backup.fail_reason
    cinder.delete_volume(volume)
    calls = recording_driver.RecordingBackupDriver.calls
    answers = recording_driver.RecordingBackupDriver.answers

    def restore(_backup: Any, _volume_id: str, sink: Any) -> None:
        sink.write(b"x" * MIB)
        sink.seek(5 * MIB)
        sink.write(b"x" * MIB)
        sink.flush()

    calls.clear()
    try:
        answers["restore"] = restore
        ended = run("verify", backup.id, "--sample", "10")
        assert (ended.code, ended.out) == (2, "")
        assert "can only be read whole by its driver: leave out --sample" in ended.err
        told = run("verify", backup.id, "-f", "json").json
        assert (told["result"], told["read"]) == ("sound", 2 * MIB)
        assert told["checked"] == "that a full restore, onto nothing, succeeds"
    finally:
        answers.clear()
    assert {call[0] for call in calls} == {"restore"}


def test_a_restore_onto_nothing_does_not_touch_the_volume(
    start_dispatching: Start, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drivers give a volume back the metadata that it had."""

    def restore(driver: Any, _backup: Any, volume_id: str, sink: Any, volume_is_new: bool) -> None:
        assert volume_is_new is False
        driver.db.volume_get(driver.context, volume_id)
        sink.write(b"x")
        driver.put_metadata(volume_id, "would be refused if anybody read it")

    monkeypatch.setattr(recording_driver.RecordingBackupDriver, "restore", restore)
    cinder = start_dispatching(secondaries="tests.fixtures.backends.recording_driver")
    volume = cinder.create_volume(1)
    backup = cinder.create_backup(volume, "recording_driver_1")
    cinder.delete_volume(volume)
    told = run("verify", backup.id, "-f", "json").json
    assert (told["result"], told["read"]) == ("sound", 1)


def test_verify_says_when_only_users_own_tokens_open_a_swift(
    start_dispatching: Start, run: Run
) -> None:
    cinder = start_dispatching(secondaries="swift")
    backup = cinder.create_backup(cinder.create_volume(1), "posix_1")
    backup.service = "cinder.backup.drivers.swift.SwiftBackupDriver"
    backup.save()
    ended = run("verify", backup.id)
    assert ended.code == 3
    assert "backend swift is Swift with backup_swift_auth = per_user" in ended.err + ended.out
