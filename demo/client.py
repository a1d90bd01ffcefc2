# SPDX-License-Identifier: Apache-2.0
"""The real ``openstack`` command line client, run as the ordinary user or as the administrator."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo.servers.processes import environment

SECONDS = 120.0


class CommandFailed(Exception):
    """The client's command failed."""


class Client:
    """Runs the client's commands, and shows each as it would be typed.

    :param clouds_yaml: the client's configuration.
    :param show: called with each command.
    """

    def __init__(self, clouds_yaml: Path, show: Callable[[str], None]) -> None:
        self._clouds_yaml = clouds_yaml
        self._show = show

    def user(self, *words: str) -> Any:
        """Run a command as the project's ordinary user and return its output, None if it has none.

        :raises CommandFailed: the client failed, with its error message.
        """
        return self._run("demo", words)

    def admin(self, *words: str) -> Any:
        """Run a command as the administrator; otherwise like `user`."""
        return self._run("demo-admin", words)

    def _run(self, cloud: str, words: tuple[str, ...]) -> Any:
        as_admin = ["--os-cloud", cloud] if cloud != "demo" else []
        self._show(shlex.join(["openstack", *as_admin, *words]))
        tells = {"create", "show", "list", "restore"} & set(words)
        command = [str(Path(sys.executable).with_name("openstack")), *as_admin, *words]
        try:
            done = subprocess.run(
                [*command, *(["-f", "json"] if tells else [])],
                env=environment(
                    {"OS_CLIENT_CONFIG_FILE": str(self._clouds_yaml), "OS_CLOUD": "demo"}
                ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CommandFailed(
                f"{shlex.join(['openstack', *words])}: no answer within {SECONDS:g} seconds"
            ) from None
        if done.returncode != 0:
            raise CommandFailed(f"{shlex.join(['openstack', *words])}: {done.stderr.strip()}")
        return json.loads(done.stdout) if tells else None
