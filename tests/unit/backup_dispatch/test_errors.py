# SPDX-License-Identifier: Apache-2.0
"""Each message is one line that fits ``fail_reason``."""

from __future__ import annotations

import pytest
from cinder import exception

from backup_dispatch import errors


def test_a_long_text_is_cut_and_kept_whole_for_the_log() -> None:
    error = errors.ConfigurationInvalid("option has 'x': " + "known are a, b, " * 40)
    assert len(str(error)) == 255
    assert str(error).endswith("…")
    assert error.full_text.startswith(str(error)[:-1])
    assert len(error.full_text) > 600


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (RuntimeError("two\nlines\t of  text"), "RuntimeError: two lines of text"),
        (KeyError("Contents"), "KeyError: 'Contents'"),
        (TimeoutError(), "TimeoutError"),
        (exception.InvalidBackup(reason="do a full backup"), "Invalid backup: do a full backup"),
        (ValueError("100% of %(x)s"), "ValueError: 100% of %(x)s"),
    ],
)
def test_a_backends_failure_names_it_and_its_reason(cause: Exception, text: str) -> None:
    error = errors.BackendFailed("ceph", cause)
    assert str(error) == f"Backup backend ceph failed: {text}"
    assert error.backend == "ceph"


def test_the_family_is_cinders() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert issubclass(kind, exception.BackupDriverException), kind
