# SPDX-License-Identifier: Apache-2.0
"""Processes of their own for measurements, and how much memory they take."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measuring import machine

_LOOK_SECONDS = 0.01


class Failed(Exception):
    """A measured command failed."""


@dataclass(frozen=True)
class Run:
    """The resources that a command used.

    :param processor: processor seconds of all its threads.
    :param peak: peak memory in bytes.
    """

    seconds: float
    processor: float
    peak: int
    output: str


def run(command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Run:
    """Run a command to its end.

    :raises Failed: its exit status was not 0.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        begin, before = time.perf_counter(), os.times()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=output, stderr=errors
        )
        try:
            with _Watched(process.pid) as memory:
                process.wait()
                seconds = time.perf_counter() - begin
        except BaseException:  # An interruption may not have reached this process.
            process.kill()
            process.wait()
            raise
        after = os.times()
        processor = after.children_user - before.children_user
        processor += after.children_system - before.children_system
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise Failed(f"{' '.join(command)}: {errors.read()[-2000:]}")
        return Run(seconds, processor, memory.peak, output.read())


def processor_of(pid: int) -> float:
    """Return the processor seconds that a running process has used so far."""
    # The name before the parenthesis may contain spaces.
    _, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    user, system = rest.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class _Watched:
    """The peak memory of another process, polled while it runs.

    The system's own value, ``ru_maxrss``, is not less than what this process had when it
    started the other one.
    """

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            # It has exited, or is exiting.
            with contextlib.suppress(OSError, LookupError):
                self.peak = max(self.peak, _status("VmHWM", self._pid))

    def __enter__(self) -> _Watched:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()


def make_memory_ready(image: Path) -> None:
    """Make memory ready for a step with an image, in another process, so that this one's stays."""
    size = machine.MEMORY * image.stat().st_size
    subprocess.run([sys.executable, "-m", "bench.measuring.machine", str(size)], check=True)


class Measured:
    """The resources that this process uses from here on: time, processor time, and memory.

    :param image: what is about to be backed up or restored: memory is made ready for it.
    """

    def __init__(self, image: Path | None = None) -> None:
        if image is not None:
            make_memory_ready(image)
        # Linux resets the peak on request.
        Path("/proc/self/clear_refs").write_text("5")
        self._memory = _status("VmRSS")
        self._processor = time.process_time()
        self._begin = time.perf_counter()

    def so_far(self) -> dict[str, float]:
        """Return the seconds, the processor seconds, and the peak growth in bytes."""
        return {
            "seconds": time.perf_counter() - self._begin,
            "processor": time.process_time() - self._processor,
            "memory": max(0, _status("VmHWM") - self._memory),
        }


def highest_memory() -> int:
    """Return the peak memory of this process, in bytes, since it was last reset."""
    return _status("VmHWM")


def _status(field: str, pid: int | str = "self") -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)
