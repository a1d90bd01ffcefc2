# SPDX-License-Identifier: Apache-2.0
"""What the service's log says of a configuration with which it cannot work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backup_dispatch.process import this_process

DISPATCHER = "backup_driver = backup_dispatch.driver.BackupDispatcher"
SERVICE = ("backup_dispatch", "cinder.backup", "cinder.service", "oslo.service", "oslo_service")
"""Whose words about the driver stand in the log; what the test's environment lacks is no matter."""
POSIX = "enabled_backup_backends = posix"

Start = Callable[..., Any]


@pytest.fixture
def start(start_cinder: Start) -> Iterator[Start]:
    yield start_cinder
    this_process().stop_checking()


@pytest.mark.parametrize(
    ("defaults", "sections", "says"),
    [
        (
            "enabled_backup_backends = tape",
            "",
            "enabled_backup_backends has 'tape': there is no such backend; known are ",
        ),
        (
            "enabled_backup_backends = posix, broken",
            "[broken]\nbackup_driver = tests.fixtures.no_such_driver\n",
            "[broken] backup_driver has 'tests.fixtures.no_such_driver': there is no such module ",
        ),
        (
            f"{POSIX}\nbackup_dispatch_check_timeout = 0",
            "",
            "Section [DEFAULT]: Value for option backup_dispatch_check_timeout from {conf} is not "
            "valid: Should be greater than or equal to 1. Correct it.",
        ),
        (
            f"{POSIX}\nbackup_dispatch_unmatched = perhaps",
            "",
            "Section [DEFAULT]: Value for option backup_dispatch_unmatched from {conf} is not ",
        ),
        (
            "enabled_backup_backends = east",
            "[east]\nbackup_driver = posix\nadopt = perhaps\n",
            "Section [east]: Value for option adopt from {conf} is not valid: Unexpected boolean "
            "value 'perhaps'. Correct it.",
        ),
        (
            "enabled_backup_backends = East",
            "[East]\nbackup_driver = posix\nbackup_file_size = large\n",
            "Section [East] cannot be used by posix: Value for option "
            "backup_file_size from the configuration is not valid: invalid ",
        ),
    ],
)
def test_invalid_configuration_is_one_line_in_the_log(
    start: Start,
    caplog: pytest.LogCaptureFixture,
    defaults: str,
    sections: str,
    says: str,
) -> None:
    cinder = start(defaults=f"{DISPATCHER}\n{defaults}", sections=sections)
    assert not cinder.backup_manager.is_working()
    # As they stand in a log: a record with an exception brings its traceback.
    told = [
        caplog.handler.format(record)
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith(SERVICE)
    ]
    lines = "\n".join(told).splitlines()
    conf = cinder.directory / "cinder.conf"
    assert "The backup service cannot work: " + says.format(conf=conf) in lines[0], lines
    assert len(lines) == 1, f"{len(lines)} lines"
