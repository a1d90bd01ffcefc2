# SPDX-License-Identifier: Apache-2.0
"""Replacing a file as a whole: whoever reads it sees the old text or the new one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

FOR_ALL = 0o644


def write_text(path: Path, text: str, mode: int = FOR_ALL) -> None:
    """Write a file, or replace it.

    :param mode: whatever this user's umask is: node_exporter is another user.
    :raises OSError: it cannot be written; the old one is as it was.
    """
    # In the same folder, for the rename; without .prom at its end, so that nobody reads it.
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    # A killed process of that number may have left one. A link that somebody else has made there,
    # where all may write, is not followed.
    beside.unlink(missing_ok=True)
    try:
        with open(beside, "x", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
