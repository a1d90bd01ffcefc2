# SPDX-License-Identifier: Apache-2.0
"""The ``openstack`` client, as a user types it."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from tests.fixtures.openstack_shell import CommandFailed, OpenStackShell

__all__ = ["Client", "CommandFailed"]

ANSWERS = {"create", "show", "list", "restore", "export", "import"}


class Client:
    """One user's client; one command at a time, whatever the number of threads.

    :param clouds_yaml: a file with a cloud of the user's name.
    :param log: for the client's output except its results.
    """

    def __init__(self, clouds_yaml: Path, user: str, log: Path) -> None:
        self.user = user
        self._lock = threading.Lock()
        self._shell = OpenStackShell(clouds_yaml, user, log)

    def __call__(self, *words: str) -> Any:
        """Run a command and return its output, None if it has none.

        :raises CommandFailed: the client failed.
        """
        told = ["-f", "json"] if ANSWERS & set(words) else []
        with self._lock:
            printed = self._shell.run(*words, *told)
        return json.loads(printed) if told and printed.strip() else None

    def close(self) -> None:
        """End its process."""
        self._shell.__exit__(None, None, None)
