# SPDX-License-Identifier: Apache-2.0
"""However the demo is asked to end, it ends, and leaves no process and no file."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from demo.servers.processes import PROJECT
from demo.waiting import until

pytestmark = pytest.mark.long


def belonging_to(directory: Path) -> list[int]:
    """The processes that name a directory in their arguments or their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in words:
            found.append(int(process.name))
    return found


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM, signal.SIGHUP]],
    ids=["ctrl-c", "ctrl-c twice", "terminated and hung up"],
)
@pytest.mark.parametrize("servers", [1, 5], ids=["at once", "when all servers were started"])
def test_an_interrupted_demo_leaves_no_process_and_no_file(
    tmp_path: Path, signals: Sequence[signal.Signals], servers: int
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    demo = subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until("the servers", lambda: len(list(place.glob("*/log/*.out"))) >= servers, seconds=60)

    for number in signals:
        demo.send_signal(number)
    said, _ = demo.communicate(timeout=60)

    # Of two that come at once, either may be seen first.
    assert demo.returncode - 128 in signals
    assert f"Ended by {signal.Signals(demo.returncode - 128).name}" in said
    assert "Traceback" not in said
    assert list(place.iterdir()) == []
    assert belonging_to(place) == []
