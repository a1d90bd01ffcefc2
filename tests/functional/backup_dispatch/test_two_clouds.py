# SPDX-License-Identifier: Apache-2.0
"""The story of two clouds: switching on, moving everything elsewhere, switching off."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from datera_emulator import Emulator
from tests.fixtures.backends.contract_backends import datera_options
from tests.fixtures.backends.s3_service import S3Endpoint
from tests.fixtures.backends.swift_service import SwiftService
from tests.fixtures.cinder.cloud_process import perform

pytestmark = [pytest.mark.release, pytest.mark.long]

ACTS = "tests.fixtures.two_clouds"
SWIFT = "cinder.backup.drivers.swift.SwiftBackupDriver"
S3 = "cinder.backup.drivers.s3.S3BackupDriver"
DATERA = "datera_backup.driver.DateraBackupDriver"


def test_backups_move_to_a_cloud_with_other_names_and_restore(
    swift: SwiftService, moto: S3Endpoint, tmp_path: Path, run_directory: Path
) -> None:
    with Emulator(state_dir=tmp_path / "array") as emulator:
        backends = "\n".join(
            (swift.cinder_options(), moto.cinder_options("two-clouds"), datera_options(emulator))
        )
        vanilla = f"backup_driver = {SWIFT}\n{backends}"
        dispatching = (
            "backup_driver = backup_dispatch.driver.BackupDispatcher\n"
            f"backup_datera_secondary_backup_drivers = swift, s3\n{backends}"
        )
        first = partial(perform, directory=tmp_path / "first", template_folder=run_directory)
        second = partial(perform, directory=tmp_path / "second", template_folder=run_directory)
        facts = first(f"{ACTS}:begin_with_vanilla_swift", {}, defaults=vanilla)
        facts = first(f"{ACTS}:switch_on", facts, defaults=dispatching)
        owners = second(f"{ACTS}:import_elsewhere", facts, defaults=dispatching)
        end = first(f"{ACTS}:switch_off", facts, defaults=vanilla)

    # One of the first cloud's vanilla days, and the chains: all are where they were.
    chain = [SWIFT, S3, DATERA] * 2 + [DATERA]
    assert owners == dict(zip([facts["old"][0], *facts["chains"]], [SWIFT, *chain], strict=True))
    assert end["restored"] == [one for one, owner in owners.items() if owner == SWIFT]
