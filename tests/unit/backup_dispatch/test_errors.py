# SPDX-License-Identifier: Apache-2.0
"""Each message is one line that fits ``fail_reason``."""

from __future__ import annotations

from pathlib import Path

import pytest
from cinder import exception
from oslo_config import cfg

from backup_dispatch import errors

pytestmark = pytest.mark.release


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


@pytest.mark.parametrize("name", ["cinder.conf", "it's.conf"])
def test_error_of_oslo_config_says_the_file_without_python(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("[DEFAULT]\nx = many\n")
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.IntOpt("x"))
    conf([], project="any", default_config_files=[str(path)])
    with pytest.raises(cfg.ConfigFileValueError, match="LocationInfo") as caught:
        conf.x  # noqa: B018 - reading it is the test
    assert errors.reason_of(caught.value) == (
        f"Value for option x from {path} is not valid: invalid literal for int() with base 10: "
        "'many'"
    )


def test_the_family_is_cinders() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert issubclass(kind, exception.BackupDriverException), kind


def test_a_chain_of_errors_that_leads_back_is_gone_through_once() -> None:
    first, second = OSError("first"), OSError("second")
    first.__cause__, second.__context__ = second, first
    assert [*errors.chain_of(first)] == [first, second]
