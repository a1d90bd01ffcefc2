# SPDX-License-Identifier: Apache-2.0
"""What an exported record says of where its backup is; whoever imports it may have changed it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from datera_backup import exported
from datera_backup.errors import BackupFailed

BACKUP = "6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a"
RECORD = SimpleNamespace(id=BACKUP)
TOLD = {
    "driver": "datera",
    "format": exported.EXPORT_FORMAT,
    "tenant": "/root",
    "container": f"backup-{BACKUP}",
    "backup": BACKUP,
}


def test_location_is_what_was_exported() -> None:
    location = exported.location_in(TOLD, RECORD)
    assert (location.tenant, location.container) == ("/root", f"backup-{BACKUP}")
    assert str(location.backup_id) == BACKUP


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("value", [{"path": "x"}, [BACKUP], 5, None, "", "x"])
def test_field_of_another_kind_is_refused(name: str, value: Any) -> None:
    with pytest.raises(BackupFailed, match=f"The record of backup {BACKUP}"):
        exported.location_in({**TOLD, name: value}, RECORD)


@pytest.mark.parametrize("told", [[], "datera", 5, None, [TOLD]])
def test_anything_but_fields_is_refused(told: Any) -> None:
    with pytest.raises(BackupFailed, match="not exported by this driver"):
        exported.location_in(told, RECORD)
