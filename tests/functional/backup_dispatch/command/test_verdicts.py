# SPDX-License-Identifier: Apache-2.0
"""What ``backup-dispatch verify`` says of a backup: sound, DAMAGED or not known.

Damage is what was proven; whatever else keeps one from reading a backup is told as that.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.patching import is_patched
from tests.fixtures.shelf_driver import ShelfBackupDriver
from tests.fixtures.tape_driver import TapeBackupDriver

Patch = pytest.MonkeyPatch
Run = Callable[..., Any]
Happen = Callable[[], object]
MIB = 2**20

CODES = {"sound": 0, "DAMAGED": 1, "not known": 3}


@dataclass
class Chain:
    """A full backup on the shelf and an incremental of it, and a backup on tape."""

    cinder: Any
    shelf: Path
    tapes: Path
    full: Any
    backup: Any
    tape: Any

    def file(self, ending: str) -> Path:
        """The one object of the full backup with that ending."""
        (found,) = Path(self.shelf, self.full.container).glob(f"*{ending}")
        return found

    def write(self, backup: Any, **values: Any) -> None:
        """Change the record, as somebody else would."""
        record = self.cinder.backup(backup.id)
        record.update(values)
        record.save()

    @contextmanager
    def mended_afterwards(self) -> Iterator[None]:
        """Put files and records back as they were."""
        folders = (self.shelf, self.tapes)
        for folder in folders:
            shutil.copytree(folder, folder.with_suffix(".copy"))
        records = [self.cinder.backup(one.id) for one in (self.full, self.backup, self.tape)]
        kept = [(one, {name: one[name] for name in KEPT}) for one in records]
        yield
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(away(folder), ignore_errors=True)
            folder.with_suffix(".copy").rename(folder)
        for record, values in kept:
            self.write(record, **values)


KEPT = ("status", "parent_id", "service", "metadata")


def away(folder: Path) -> Path:
    return folder.with_suffix(".away")


@pytest.fixture
def chain(start_dispatching: Callable[..., Any], shelf: Path, tmp_path: Path) -> Chain:
    cinder = start_dispatching(
        secondaries="tests.fixtures.shelf_driver, tests.fixtures.tape_driver",
        more=f"backup_tape_path = {tmp_path / 'tapes'}",
    )
    volume = cinder.create_volume(1)
    cinder.write(volume, MIB, b"full" * 100000)
    tape = cinder.create_backup(volume, "tape_driver_1")
    full = cinder.create_backup(volume, "shelf_driver_1")
    cinder.write(volume, 9 * MIB, b"more" * 100000)
    backup = cinder.create_backup(volume, "shelf_driver_2", incremental=True)
    assert (backup.status, tape.status) == ("available", "available"), backup.fail_reason
    return Chain(cinder, shelf, tmp_path / "tapes", full, backup, tape)


# What happens while somebody reads


def on_reading(patch: Patch, ending: str, happen: Happen, times: int = 99) -> None:
    """Let something happen when an object with that ending is opened, so many times."""
    opened: Any = ShelfBackupDriver.get_object_reader
    left = [times]

    def open_reader(driver: Any, container: str, name: str, **options: Any) -> Any:
        if name.endswith(ending) and left[0]:
            left[0] -= 1
            happen()
        return opened(driver, container, name, **options)

    patch.setattr(ShelfBackupDriver, "get_object_reader", open_reader)


def raises(error: Exception) -> Happen:
    def happen() -> None:
        raise error

    return happen


def cut_short_once(chain: Chain, patch: Patch) -> str:
    opened: Any = ShelfBackupDriver.get_object_reader
    left = ["-00001", "_metadata", "_sha256file"]

    def open_reader(driver: Any, container: str, name: str, **options: Any) -> Any:
        reader = opened(driver, container, name, **options)
        ending = next((one for one in left if name.endswith(one)), None)
        if ending is None:
            return reader
        left.remove(ending)
        with reader as whole:
            return io.BytesIO(whole.read()[:100])

    patch.setattr(ShelfBackupDriver, "get_object_reader", open_reader)
    return ""


def refused_once(chain: Chain, patch: Patch) -> str:
    on_reading(patch, "-00001", raises(ConnectionError("reset by peer")), times=1)
    return ""


def refused(chain: Chain, patch: Patch) -> str:
    on_reading(patch, "-00001", raises(ConnectionError("refused")))
    return f"whether object {chain.file('-00001').name} of backup {chain.full.id} is whole: Connec"


def input_output_error(chain: Chain, patch: Patch) -> str:
    on_reading(patch, "_sha256file", raises(OSError(errno.EIO, os.strerror(errno.EIO))))
    return f"of backup {chain.full.id} is whole: OSError: [Errno 5]"


def gone_meanwhile(chain: Chain, patch: Patch) -> str:
    on_reading(patch, "-00001", lambda: chain.shelf.rename(away(chain.shelf)), 1)
    return "the backend does not answer any more"


def listing_times_out(chain: Chain, patch: Patch) -> str:
    patch.setattr(
        ShelfBackupDriver,
        "get_container_entries",
        lambda *_: raises(TimeoutError("no answer in 60 s"))(),
    )
    return f"what the backend has of backup {chain.full.id}: TimeoutError: no answer in 60 s"


def cannot_tell(chain: Chain, patch: Patch) -> str:
    patch.setattr(ShelfBackupDriver, "holds", lambda *_: None, raising=False)
    return f"what the backend has of backup {chain.full.id}: its driver cannot tell"


def down(chain: Chain, patch: Patch) -> str:
    chain.shelf.rename(away(chain.shelf))
    return "Backup backend shelf_driver is down: "


def nobodys(chain: Chain, patch: Patch) -> str:
    chain.write(chain.backup, service="somewhere.else.Driver")
    return "is held by somewhere.else.Driver, which is no enabled backend"


def being_made(chain: Chain, patch: Patch) -> str:
    chain.write(chain.backup, status="creating")
    return "it is creating"


def deleted_while_read(chain: Chain, patch: Patch) -> str:
    """The status comes first, then the objects go."""

    def happen() -> None:
        chain.write(chain.full, status="deleting")
        chain.file("-00001").unlink()

    on_reading(patch, "-00001", happen, times=1)
    return f"backup {chain.full.id} is being deleted"


def deletion_fails_meanwhile(chain: Chain, patch: Patch) -> str:
    def happen() -> None:
        chain.write(chain.full, status="error_deleting")
        chain.file("-00001").unlink()

    on_reading(patch, "-00001", happen, times=1)
    return f"somebody tried to delete backup {chain.full.id} meanwhile"


def deletion_begins_at_the_end(chain: Chain, patch: Patch) -> str:
    on_reading(patch, "-00004", lambda: chain.write(chain.backup, status="deleting"), times=1)
    return f"backup {chain.backup.id} is being deleted"


def in_a_circle(chain: Chain, patch: Patch) -> str:
    chain.write(chain.full, parent_id=chain.backup.id)
    return f"backup {chain.backup.id} is its own ancestor"


def flipped(chain: Chain, patch: Patch) -> str:
    file = chain.file("-00001")
    data = bytearray(file.read_bytes())
    data[20] ^= 1
    file.write_bytes(data)
    return f"object {file.name}: its zstd data is broken"


def missing(chain: Chain, patch: Patch) -> str:
    file = chain.file("-00001")
    file.unlink()
    return f"object {file.name} is missing"


def listed_and_missing(chain: Chain, patch: Patch) -> str:
    """As an object store whose listing outlives an object."""
    missing = FileNotFoundError(errno.ENOENT, "no such object")
    on_reading(patch, "-00001", raises(missing))
    return f"object {chain.file('-00001').name}: it is listed, and it is missing"


def damaged_and_unread(chain: Chain, patch: Patch) -> str:
    on_reading(patch, "-00002", raises(ConnectionError("refused")))
    return flipped(chain, patch)


ON_THE_SHELF = [
    ("sound", "an answer is cut short once", cut_short_once),
    ("sound", "a connection breaks once", refused_once),
    ("not known", "one object is refused, and the backend answers", refused),
    ("not known", "a network mount has an I/O error", input_output_error),
    ("not known", "the backend goes away", gone_meanwhile),
    ("not known", "the listing times out", listing_times_out),
    ("not known", "the driver cannot tell what it has", cannot_tell),
    ("not known", "the backend is down", down),
    ("not known", "its backend is not enabled", nobodys),
    ("not known", "it is being made", being_made),
    ("not known", "its parent is deleted meanwhile", deleted_while_read),
    ("not known", "a deletion of its parent fails meanwhile", deletion_fails_meanwhile),
    ("not known", "its deletion begins when all is read", deletion_begins_at_the_end),
    ("not known", "the records go round in circles", in_a_circle),
    ("DAMAGED", "one bit is flipped", flipped),
    ("DAMAGED", "an object is missing", missing),
    ("DAMAGED", "an object is listed, and missing", listed_and_missing),
    ("DAMAGED", "one object is damaged, and another one not read", damaged_and_unread),
]


def told_by(run: Run, backup: Any) -> dict[str, Any]:
    """What is told of a backup, in agreement with the exit code and with the line for people."""
    ended = run("verify", backup.id, "-f", "json")
    told: dict[str, Any] = ended.json
    assert ended.code == CODES[told["result"]], told
    assert set(told) >= {"backup", "backend", "checked"}, told
    assert ("not known" in ended.err) == (told["result"] == "not known"), ended.err
    assert ("is damaged in" in ended.err) == (told["result"] == "DAMAGED"), ended.err
    return told


def wrong(told: dict[str, Any], word: str, text: str) -> bool:
    """Whether something else was told than this word, with this text among its lines."""
    lines = told.get({"DAMAGED": "damage", "not known": "not_known"}.get(word, ""), [text])
    return told["result"] != word or not any(text in line for line in lines)


def test_verdict_on_a_chunked_backup_is_what_was_proven(
    chain: Chain, run: Run, monkeypatch: Patch
) -> None:
    failed = []
    for word, situation, fault in ON_THE_SHELF:
        with chain.mended_afterwards(), monkeypatch.context() as patch:
            text = fault(chain, patch)
            told = told_by(run, chain.backup)
        both = word == "not known" or fault is damaged_and_unread
        if wrong(told, word, text) or ("not_known" in told) != both:
            failed.append(
                f"{situation}: {told['result']} {told.get('damage') or told.get('not_known')}"
            )
    assert not failed, "\n".join(failed)


def test_verdict_without_an_ancestors_record_is_not_known(chain: Chain, run: Run) -> None:
    chain.full.destroy()
    told = told_by(run, chain.backup)
    assert (told["result"], told["backend"]) == ("not known", "shelf_driver")
    (line,) = told["not_known"]
    assert f"builds on backup {chain.full.id}, which has no record" in line


def test_verdict_on_a_deleted_backup_is_not_known(
    chain: Chain, run: Run, monkeypatch: Patch
) -> None:
    on_reading(monkeypatch, "-00001", lambda: chain.cinder.delete_backup(chain.backup), times=1)
    told = told_by(run, chain.backup)
    assert told["result"] == "not known"
    assert f"backup {chain.backup.id} was deleted meanwhile" in told["not_known"][0]


# Drivers that can only restore


def tape_refuses(chain: Chain, patch: Patch) -> str:
    refuse = raises(ConnectionRefusedError(111, "Connection refused"))
    patch.setattr(TapeBackupDriver, "before_reading", staticmethod(lambda _: refuse()))
    return "can be read to its end: ConnectionRefusedError"


def tape_is_read_by_the_record(chain: Chain, patch: Patch) -> str:
    patch.setattr(TapeBackupDriver, "reads_the_record", True)
    return "its driver reads it only while its status in the database is restoring"


def tape_is_deleted(chain: Chain, patch: Patch) -> str:
    def happen(_backup: Any) -> None:
        chain.write(chain.tape, status="deleting")

    patch.setattr(TapeBackupDriver, "before_reading", staticmethod(happen))
    return f"backup {chain.tape.id} is being deleted"


def tape_goes_with_its_deletion(chain: Chain, patch: Patch) -> str:
    def happen(_backup: Any) -> None:
        (chain.tapes / chain.tape.id).unlink()
        chain.write(chain.tape, status="deleting")
        raise FileNotFoundError(errno.ENOENT, "no such tape")

    patch.setattr(TapeBackupDriver, "before_reading", staticmethod(happen))
    return f"backup {chain.tape.id} is being deleted"


def tape_is_gone(chain: Chain, patch: Patch) -> str:
    (chain.tapes / chain.tape.id).unlink()
    return f"backup {chain.tape.id}: the backend has nothing of it"


def library_is_gone(chain: Chain, patch: Patch) -> str:
    def happen(_backup: Any) -> None:
        chain.tapes.rename(away(chain.tapes))

    patch.setattr(TapeBackupDriver, "before_reading", staticmethod(happen))
    return "can be read to its end: FileNotFoundError"


def nothing_happens(chain: Chain, patch: Patch) -> str:
    return ""


ON_TAPE = [
    ("sound", "it honours cancelling", nothing_happens),
    ("not known", "it honours cancelling, by the database", tape_is_read_by_the_record),
    ("not known", "the library refuses", tape_refuses),
    ("not known", "it is being deleted", tape_is_deleted),
    ("not known", "it goes with its deletion", tape_goes_with_its_deletion),
    ("not known", "the library goes away", library_is_gone),
    ("DAMAGED", "the library answers, and has not got it", tape_is_gone),
]


def test_verdict_of_a_driver_that_only_restores_is_what_was_proven(
    chain: Chain, run: Run, monkeypatch: Patch
) -> None:
    failed = []
    for word, situation, fault in ON_TAPE:
        with chain.mended_afterwards(), monkeypatch.context() as patch:
            text = fault(chain, patch)
            before = dict(chain.cinder.backup(chain.tape.id))
            told = told_by(run, chain.tape)
            written = dict(chain.cinder.backup(chain.tape.id)) != before
        if wrong(told, word, text) or (word == "sound" and written):
            failed.append(
                f"{situation}: {told['result']} {told.get('damage') or told.get('not_known')}"
            )
    assert not failed, "\n".join(failed)


# Servers that stop


def test_verdict_beside_a_swift_that_stops_midway_is_not_known(
    four_backups: dict[str, Any], run: Run, swift: Any, monkeypatch: Patch
) -> None:
    from cinder.backup.drivers.swift import SwiftBackupDriver

    opened: Any = SwiftBackupDriver.get_object_reader

    def stop_swift(driver: Any, container: str, name: str, **options: Any) -> Any:
        if name.endswith("-00002"):
            swift.stop()
        return opened(driver, container, name, **options)

    monkeypatch.setattr(SwiftBackupDriver, "get_object_reader", stop_swift)
    try:
        told = told_by(run, four_backups["swift_2"])
    finally:
        swift.start()
    assert (told["result"], told["backend"]) == ("not known", "swift"), told
    assert "does not answer any more" in told["not_known"][0]


@pytest.mark.skipif(is_patched(), reason="a native thread cannot stop the emulator's green ones")
def test_verdict_beside_a_cluster_that_stops_midway_is_not_known(
    four_backups: dict[str, Any], run: Run, emulator: Emulator, monkeypatch: Patch
) -> None:
    from datera_backup.attachment import Attachments

    entered = Attachments._enter

    def stop_the_cluster(attachments: Attachments, name: str) -> str:
        emulator.stop()
        return entered(attachments, name)

    with monkeypatch.context() as patch:
        patch.setattr(Attachments, "_enter", stop_the_cluster)
        told = told_by(run, four_backups["datera_2"])
    assert (told["result"], told["backend"]) == ("not known", "datera"), told
    assert "can be read to its end" in told["not_known"][0]
    told = told_by(run, four_backups["datera_2"])
    assert (told["result"], told["backend"]) == ("not known", "datera"), told
    assert "Backup backend datera is down" in told["not_known"][0]
