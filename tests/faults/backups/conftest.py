# SPDX-License-Identifier: Apache-2.0
"""A Cinder whose backups fail at each of their steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.backups.stage import Stage
    from tests.faults.backups.walking import Walker


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory,
    run_directory: Path,
    cinder_imported: None,
    iscsi_alone: None,
) -> Iterator[Stage]:
    """One for all operations of a module: they restore what they begin with."""
    from tests.faults.backups.starting import staged

    with staged(tmp_path_factory.mktemp("stage"), run_directory) as stage:
        yield stage


@pytest.fixture(scope="module")
def walker(stage: Stage) -> Walker:
    """Walks operations there."""
    from tests.faults.backups.walking import Walker

    return Walker(stage, {})
