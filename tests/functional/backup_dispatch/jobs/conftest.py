# SPDX-License-Identifier: Apache-2.0
"""A cloud with backups of past hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backup_dispatch.process import this_process
from tests.fixtures.backends.lasting.past import CLASSES, Past


@pytest.fixture
def start_past(start_cinder: Callable[..., Any]) -> Iterator[Callable[[], Past]]:
    """Start such a cloud."""

    def start() -> Past:
        from tests.fixtures.backends.lasting.store import SHELVES

        SHELVES.stored.clear()
        backends = ", ".join(CLASSES[name] for name in ("tape", "array"))
        lines = (
            "backup_driver = backup_dispatch.driver.BackupDispatcher",
            f"backup_dispatch_primary = {CLASSES['disk']}",
            f"backup_datera_secondary_backup_drivers = {backends}",
        )
        return Past(start_cinder(defaults="\n".join(lines)), SHELVES)

    yield start
    this_process().stop_checking()


@pytest.fixture
def past(start_past: Callable[[], Past]) -> Past:
    """One such cloud."""
    return start_past()
