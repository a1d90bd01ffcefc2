# SPDX-License-Identifier: Apache-2.0
"""The verdict of ``backup-dispatch verify`` where a driver can only restore.

Reading is then a restore onto nothing, and an error of the driver proves nothing by itself.
"""

from __future__ import annotations

import errno
from typing import Any

from tests.fixtures.backends.tape_driver import TapeBackupDriver
from tests.fixtures.backends.verdicts import (
    Chain,
    Patch,
    Run,
    away,
    raises,
    told_by,
    told_wrongly,
)


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


def tape_notes_its_reading(chain: Chain, patch: Patch) -> str:
    """In the record, which stands as it was afterwards."""

    def note(backup: Any) -> None:
        backup.display_description = "is being read"
        backup.save()

    patch.setattr(TapeBackupDriver, "before_reading", staticmethod(note))
    return ""


ON_TAPE = [
    ("sound", "it honours cancelling, and saves the record", tape_notes_its_reading),
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
        if told_wrongly(told, word, text) or (word == "sound" and written):
            failed.append(
                f"{situation}: {told['result']} {told.get('damage') or told.get('not_known')}"
            )
    assert not failed, "\n".join(failed)
