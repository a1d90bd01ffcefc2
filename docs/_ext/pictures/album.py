# SPDX-License-Identifier: Apache-2.0
"""Which pictures there are."""

from __future__ import annotations

from pathlib import Path

from pictures import dispatching, storing, terminal

FOLDER = Path(__file__).resolve().parents[2] / "pictures"

_ALL = {
    "one-service": dispatching.one_service,
    "choosing": dispatching.choosing,
    "chains": dispatching.chains,
    "switching": dispatching.switching,
    "backup-way": storing.backup_way,
    "container": storing.container,
    "demo": terminal.demo,
}


def drawings() -> dict[str, str]:
    """Each picture's text, by its file's name."""
    return {f"{name}.svg": draw().svg() for name, draw in _ALL.items()}
