# SPDX-License-Identifier: Apache-2.0
"""The verdict of ``backup-dispatch verify`` beside a server that stops midway.

An outage is no damage.
"""

from __future__ import annotations

from typing import Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.backends.verdicts import (
    Patch,
    Run,
    told_by,
)
from tests.fixtures.cinder.patching import is_patched

pytestmark = pytest.mark.faults


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
    from datera_backup.storage.attachments import Attachments

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
