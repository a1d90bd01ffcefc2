# SPDX-License-Identifier: Apache-2.0
"""The version that brought an option: the one in whose history it is named, else the first."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_VERSION = re.compile(r"^## (\d[\w.]*)$", re.MULTILINE)


@cache
def _history() -> tuple[tuple[str, str], ...]:
    page = (ROOT / "docs" / "version-history.md").read_text(encoding="utf-8")
    parts = _VERSION.split(page)[1:]
    return tuple(zip(parts[::2], parts[1::2], strict=True))


def since(name: str) -> str:
    """The version, by the version history, whose newest version stands first."""
    versions = _history()
    named = [version for version, text in versions if f"`{name}`" in text]
    return named[-1] if named else versions[-1][0]
