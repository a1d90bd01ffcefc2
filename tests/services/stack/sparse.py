# SPDX-License-Identifier: Apache-2.0
"""Holes where a server's files hold zeros: most restores write whole volumes, mostly of zeros."""

from __future__ import annotations

import subprocess
from pathlib import Path

FEW = 64 * 2**20


class Sparse:
    """The files of a folder, of which no more stays on disk than they hold."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, int] = {}

    def dig(self) -> None:
        """Give back what is zero in files that changed since the last time; none is in use."""
        for path in sorted(self._folder.rglob("*")):
            try:
                status = path.stat()
            except FileNotFoundError:  # a volume that is being deleted
                continue
            few = not path.is_file() or status.st_blocks * 512 < FEW
            if few or self._seen.get(path) == status.st_mtime_ns:
                continue
            subprocess.run(["fallocate", "--dig-holes", path], check=False, capture_output=True)
            if path.exists():
                self._seen[path] = path.stat().st_mtime_ns
