# SPDX-License-Identifier: Apache-2.0
"""A cloud that is kept running: commands to try with it, and how to stop it later."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from demo.cloud import Cloud, with_connector
from demo.day_two.command import PROGRAM
from demo.servers.processes import PROJECT
from demo.waiting import TookTooLong, until

FILE = "servers.json"
SECONDS = 10.0


class NotKept(Exception):
    """The directory is not that of a demo that was kept running."""


def write(cloud: Cloud) -> None:
    """Record which processes belong to the cloud."""
    servers = [
        {"name": server.name, "pid": server.pid, "since": since(server.pid)}
        for server in cloud.servers
    ]
    (cloud.directory / FILE).write_text(json.dumps(servers) + "\n")


def commands(cloud: Cloud, volume_type: str) -> str:
    """Return client commands to try, as text to paste into a shell."""
    openstack = shlex.quote(str(Path(sys.executable).with_name("openstack")))
    python = shlex.quote(sys.executable)
    place = shlex.quote(str(cloud.directory))
    operator = [
        *("env", f"PYTHONPATH={PROJECT}", "PYTHONWARNINGS=ignore"),
        *with_connector(PROGRAM, "--config-file", cloud.cinder_conf),
    ]
    return f"""Try, in another terminal:

  export OS_CLIENT_CONFIG_FILE={shlex.quote(str(cloud.clouds_yaml))}
  export OS_CLOUD=demo no_proxy=127.0.0.1
  alias openstack={shlex.quote(openstack)}

  openstack volume create --size 1 --type {volume_type} mine
  openstack volume backup create --name swift_mine mine
  openstack volume backup show swift_mine -c status -c metadata
  # Refused, because gcs is known and not enabled:
  openstack volume backup create --name gcs_mine mine
  openstack volume backup show gcs_mine -c status -c fail_reason
  openstack --os-cloud demo-admin volume service list

As the operator:

  alias backup-dispatch={shlex.quote(shlex.join(operator))}

  backup-dispatch check
  backup-dispatch list
  backup-dispatch prune --keep-last 1 --dry-run

Logs: {cloud.logs}
Stop it all:

  cd {shlex.quote(str(PROJECT))} && {python} -m demo --stop {place}"""


def stop(directory: Path, say: Callable[[str], None]) -> None:
    """Stop a cloud that was kept running and remove its directory.

    :raises NotKept: there is none in the directory.
    """
    try:
        servers = json.loads((directory / FILE).read_text())
    except FileNotFoundError:
        raise NotKept(f"{directory} holds no demo that was left running") from None
    for server in reversed(servers):
        pid = server["pid"]
        # The PID may have been reused since by another process.
        if since(pid) == server["since"]:
            _end(pid, server["since"])
            say(f"stopped {server['name']}")
    shutil.rmtree(directory)


def _end(pid: int, began: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
    with contextlib.suppress(TookTooLong):
        until(f"the end of {pid}", lambda: since(pid) != began, seconds=SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def since(pid: int) -> str:
    """Return a process's start time, in the kernel's units; nothing if it has exited."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]
