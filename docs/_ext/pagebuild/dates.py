# SPDX-License-Identifier: Apache-2.0
"""The date in the footer: the same for the same sources, whenever and wherever they are built."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timezone
from pathlib import Path


def date_of_sources(directory: Path) -> str:
    """The day of the sources, UTC, as ``YYYY-MM-DD``.

    It is that of ``SOURCE_DATE_EPOCH``; else of the last commit; else, as in a source archive, of
    the newest page.

    :param directory: the folder of the pages.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or _of_last_commit(directory)
    if not seconds:
        seconds = str(max(int(page.stat().st_mtime) for page in directory.glob("*.md")))
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%d")


def _of_last_commit(directory: Path) -> str:
    # An archive that was unpacked inside of another repository is not that one's.
    if not (directory.parent / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%ct"],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
