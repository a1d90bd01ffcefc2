# SPDX-License-Identifier: Apache-2.0
"""What is said where a small object cannot even be tried."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cinder import objects
from oslo_db.exception import DBConnectionError

objects.register_all()

from backup_dispatch.examination import small_object  # noqa: E402 - after Cinder's objects
from backup_dispatch.examination.finding import State  # noqa: E402


def test_driver_that_needs_the_database_is_not_known_beside_one_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make(_backend: Any) -> None:
        raise DBConnectionError(ConnectionRefusedError(111, "Connection refused"))

    monkeypatch.setattr(small_object, "made_for_nobody", make)
    backend: Any = SimpleNamespace(class_path="cinder.backup.drivers.posix.PosixBackupDriver")
    (found,) = small_object.try_out(backend)
    assert (found.subject, found.state) == ("small object", State.UNKNOWN)
    assert "needs Cinder's database" in found.text
