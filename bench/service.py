# SPDX-License-Identifier: Apache-2.0
"""The complete driver in a Cinder under eventlet, with the emulator: its overhead and stalls."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any

from bench.measuring.process import run
from bench.peers import environment
from bench.report import WIDTH

ACTIONS = ("full", "incremental", "restore")


def measure(folder: Path, size: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Take backups of a volume and restore one, in a process that is patched like a service."""
    say("the whole driver in a service, with the emulator")
    work = folder / "service"
    work.mkdir()
    with emulator_beside(work / "array") as (port, _pid):
        command = [sys.executable, "-m", "bench.service_inside", str(work), str(size), str(port)]
        # Cinder 29 patches only if configured.
        env = environment(OS_CINDER_DISABLE_EVENTLET_PATCHING="")
        found: dict[str, Any] = json.loads(
            run(command, folder=work, environment=env).output.splitlines()[-1]
        )
    return found


@contextmanager
def emulator_beside(folder: Path) -> Iterator[tuple[int, int]]:
    """Run an emulator in a process of its own; yield its HTTPS port, and its PID."""
    command = [sys.executable, "-m", "datera_emulator", "serve", "--state-dir", str(folder)]
    ports = ["--http-port", "0", "--https-port", "0"]
    with subprocess.Popen(
        [*command, *ports], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            yield json.loads(line)["https_port"], process.pid
        finally:
            process.terminate()


def sentence(found: dict[str, Any]) -> str:
    """Return the results in words."""
    parts = [
        f"{action}: {found[action]['seconds']:.2f} s, of which {found[action]['around']:.2f} s are "
        f"attaching, detaching, calls and records; longest stall of the service "
        f"{found[action]['stall'] * 1000:.0f} ms"
        for action in ACTIONS
    ]
    items = [fill(f"- {part}", WIDTH, subsequent_indent="  ") for part in parts]
    return "The whole driver in a service, with the emulator:\n\n" + "\n".join(items)
