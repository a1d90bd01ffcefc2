# SPDX-License-Identifier: Apache-2.0
"""The options in the pages' samples of cinder.conf are there."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import cinder

from tests.fixtures.pages import ROOT

BLOCK = re.compile(r"^(?P<indent> *)```ini\n(?P<lines>.*?)^ *```$", re.M | re.S)
OTHERS = {"Service", "client", "options.entry_points"}
"""Sections of other files: systemd's units, ceph.conf, setup.cfg."""

OPTIONS_OF_CINDER = (
    "backup/**/*.py",
    "cmd/*.py",
    "common/config.py",
    "volume/driver.py",
    "volume/drivers/san/san.py",
)
OF_OTHER_LIBRARIES = {"backend_url", "OPTIONS"}


def samples() -> Iterator[tuple[str, str, str]]:
    """Page, section and option of each line."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        for block in BLOCK.finditer(page.read_text()):
            lines = re.sub(f"^{block['indent']}", "", block["lines"], flags=re.M)
            parsed = configparser.RawConfigParser(default_section="", strict=False)
            parsed.optionxform = str  # type: ignore[assignment,method-assign]
            parsed.read_string(lines if lines.startswith("[") else f"[DEFAULT]\n{lines}")
            for section in parsed.sections():
                for option in parsed[section]:
                    yield page.name, section, option


def test_each_option_that_a_page_shows_is_there() -> None:
    installed = Path(cinder.__path__[0])
    sources = [one for pattern in OPTIONS_OF_CINDER for one in installed.glob(pattern)]
    for ours in ("backup_dispatch", "datera_backup", "datera_volume"):
        sources += (ROOT / ours).rglob("*.py")
    text = "\n".join(
        one.read_text().replace("'", '"') for one in sources if "tests" not in one.parts[-3:]
    )
    shown = [one for one in samples() if one[1] not in OTHERS]
    assert len(shown) > 30
    unknown = [one for one in shown if not any(f'"{name}"' in text for name in names_of(one[2]))]
    assert unknown == []


def names_of(option: str) -> tuple[str, ...]:
    """How an option may be written where it is defined: options of a family without its prefix."""
    if option in OF_OTHER_LIBRARIES:
        return ("",)
    return (option, option.removeprefix("backup_datera_"), option.removeprefix("keep_"))
