# SPDX-License-Identifier: Apache-2.0
"""The one folder of a run, which goes with it, but for the logs of a run that failed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

LOGS = {".log", ".out", ".conf"}


class RunFolder:
    """A private folder.

    :ivar path: where it is. A short name: sockets lie below it.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="services-"))
        self._keep_logs = False

    def keep_logs(self) -> Path:
        """Let the logs stay when the run is over; return where they will be."""
        self._keep_logs = True
        return self.path

    def close(self) -> None:
        """Remove what is no longer wanted."""
        if not self._keep_logs:
            shutil.rmtree(self.path)
            return
        # From the innermost to the outermost, so that a folder is empty when its turn comes.
        for path in sorted(self.path.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.suffix not in LOGS and path.name != "console":
                path.unlink()
