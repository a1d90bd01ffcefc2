# SPDX-License-Identifier: Apache-2.0
"""The ``openstack`` client, as a user types it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from demo.processes import environment

SECONDS = 300.0
ANSWERS = {"create", "show", "list", "restore", "export", "import"}


class CommandFailed(Exception):
    """The client said no; its words are the text."""


class Client:
    """One user's client.

    :param clouds_yaml: a file with a cloud of the user's name.
    """

    def __init__(self, clouds_yaml: Path, user: str) -> None:
        self._clouds_yaml = clouds_yaml
        self.user = user

    def __call__(self, *words: str) -> Any:
        """Run a command and return its answer, None if it has none.

        :raises CommandFailed: when the client ends with an error.
        """
        told = ["-f", "json"] if ANSWERS & set(words) else []
        done = subprocess.run(
            [Path(sys.prefix) / "bin" / "openstack", *words, *told],
            env=environment(
                {"OS_CLIENT_CONFIG_FILE": str(self._clouds_yaml), "OS_CLOUD": self.user}
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise CommandFailed(f"{shlex.join(('openstack', *words))}: {done.stderr.strip()}")
        return json.loads(done.stdout) if told and done.stdout.strip() else None
