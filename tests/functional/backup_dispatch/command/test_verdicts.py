# SPDX-License-Identifier: Apache-2.0
"""What ``backup-dispatch verify`` says: sound, DAMAGED or not known.

Damage is what was proven; whatever else keeps one from reading a backup is told as that.
"""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable
from typing import Any

from tests.fixtures.backends.shelf_driver import ShelfBackupDriver
from tests.fixtures.backends.verdicts import (
    Chain,
    Happen,
    Patch,
    Run,
    away,
    on_reading,
    raises,
    told_by,
    told_wrongly,
)


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


def gone_when_read_again(chain: Chain, patch: Patch) -> str:
    """It still answered after the first failure."""
    fail = raises(ConnectionError("reset by peer"))
    left: list[Happen] = [fail, lambda: chain.shelf.rename(away(chain.shelf))]

    def happen() -> None:
        left.pop(0)()

    on_reading(patch, "-00001", happen, times=2)
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


def rewritten(chain: Chain, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the full backup's metadata."""
    file = chain.file("_metadata")
    metadata = json.loads(file.read_bytes())
    change(metadata)
    file.write_text(json.dumps(metadata))


def of_a_later_version(chain: Chain, patch: Patch) -> str:
    rewritten(chain, lambda metadata: metadata.update(version="9.0.0"))
    return "its metadata has version 9.0.0, which the driver of this Cinder does not know"


def strangely_compressed(chain: Chain, patch: Patch) -> str:
    name = chain.file("-00001").name

    def change(metadata: dict[str, Any]) -> None:
        for entry in metadata["objects"]:
            if name in entry:
                entry[name]["compression"] = "lzma"

    rewritten(chain, change)
    return f"object {name} of backup {chain.full.id} is whole: its metadata says compression lzma"


def on_a_share_that_is_not_mounted(chain: Chain, patch: Patch) -> str:
    chain.shelf.rename(away(chain.shelf))
    chain.shelf.mkdir()
    return f"its folder {chain.shelf} is empty"


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
    ("not known", "the backend goes away when it is asked again", gone_when_read_again),
    ("not known", "the listing times out", listing_times_out),
    ("not known", "the driver cannot tell what it has", cannot_tell),
    ("not known", "the backend is down", down),
    ("not known", "its backend is not enabled", nobodys),
    ("not known", "it is being made", being_made),
    ("not known", "its parent is deleted meanwhile", deleted_while_read),
    ("not known", "a deletion of its parent fails meanwhile", deletion_fails_meanwhile),
    ("not known", "its deletion begins when all is read", deletion_begins_at_the_end),
    ("not known", "the records go round in circles", in_a_circle),
    ("not known", "its metadata are of a later version", of_a_later_version),
    ("not known", "its compression is of another release", strangely_compressed),
    ("not known", "its share is not mounted", on_a_share_that_is_not_mounted),
    ("DAMAGED", "one bit is flipped", flipped),
    ("DAMAGED", "an object is missing", missing),
    ("DAMAGED", "an object is listed, and missing", listed_and_missing),
    ("DAMAGED", "one object is damaged, and another one not read", damaged_and_unread),
]


def test_verdict_on_a_chunked_backup_is_what_was_proven(
    chain: Chain, run: Run, monkeypatch: Patch
) -> None:
    failed = []
    for word, situation, fault in ON_THE_SHELF:
        with chain.mended_afterwards(), monkeypatch.context() as patch:
            text = fault(chain, patch)
            told = told_by(run, chain.backup)
        both = word == "not known" or fault is damaged_and_unread
        if told_wrongly(told, word, text) or ("not_known" in told) != both:
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
