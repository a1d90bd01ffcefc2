# SPDX-License-Identifier: Apache-2.0
"""What an extra brings is what its drivers need with their default options."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from datera_backup.opts import ENGINE_OPTS

ROOT = Path(__file__).resolve().parents[3]


def test_the_extra_datera_brings_the_default_digest() -> None:
    (default,) = (o.default for o in ENGINE_OPTS if o.name == "backup_datera_digest")
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    brought = setup["options.extras_require"]["datera"].split()
    assert default in [package.partition(">=")[0] for package in brought]
