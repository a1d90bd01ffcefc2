# SPDX-License-Identifier: Apache-2.0
"""The one folder of a run, removed at its end, except for the logs of a failed run."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

LOGS = {".log", ".out", ".conf"}


class RunFolder:
    """A private folder.

    :ivar path: with a short name, because sockets are below it.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="services-"))
        self._keep_logs = False

    def keep_logs(self) -> Path:
        """Keep the logs after the run; return their path."""
        self._keep_logs = True
        return self.path

    def close(self) -> None:
        """Remove what is no longer needed."""
        if not self._keep_logs:
            shutil.rmtree(self.path)
            return
        # From the innermost to the outermost, so that each folder is empty when it is removed.
        for path in sorted(self.path.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.suffix not in LOGS and path.name != "console":
                path.unlink()
