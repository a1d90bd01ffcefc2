# SPDX-License-Identifier: Apache-2.0
"""What the driver offers the dispatcher, held against the dispatcher's protocols by mypy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cinder import objects

# The rest of Cinder can be imported only after its objects have been registered.
objects.register_all()
from cinder.backup.driver import BackupDriver  # noqa: E402

from backup_dispatch.drivers import interface  # noqa: E402
from datera_backup.driver import DateraBackupDriver  # noqa: E402

if TYPE_CHECKING:
    from datera_backup.dispatcher_interface import DispatcherInterface

    def as_mypy_sees_it(driver: DispatcherInterface) -> None:
        """The driver's own class has an untyped base, of which mypy believes anything."""
        _verify: interface.SupportsVerify = driver
        _sample: interface.SupportsVerifySample = driver
        _salvage: interface.SupportsSalvage = driver
        _size: interface.SupportsStoredSize = driver
        _orphans: interface.SupportsOrphans = driver
        _try_out: interface.SupportsTryOut = driver
        _holds: interface.SupportsHolds = driver


def test_progress_is_reported_to_the_dispatcher_once_it_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Cinder's own looks for a database.
    monkeypatch.setattr(BackupDriver, "__init__", lambda _self, _context: None)
    told: list[str] = []
    driver = DateraBackupDriver(None)
    driver._report_progress("1 of 2 bytes done")
    driver.report_progress_to(told.append)
    driver._report_progress("2 of 2 bytes done")
    assert told == ["2 of 2 bytes done"]
