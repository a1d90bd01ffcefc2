# SPDX-License-Identifier: Apache-2.0
"""Where the processor time of a process goes: on whose behalf, and on what kind of work.

A signal comes every few milliseconds of processor time. What the main thread has used since the
last one counts for what it is doing; what all other threads have used, for them.
"""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType, TracebackType

_SECONDS = 0.002
_TOP = f"{Path(__file__).resolve().parents[2]}/"

OURS, CINDERS, BENCH = "ours", "Cinder's", "the benchmark's"
THREADS = "engine and container, in threads"
PYTHON = "Python"

_OWNERS = {
    OURS: (f"{_TOP}datera_", f"{_TOP}backup_dispatch/"),
    CINDERS: ("/cinder/", "/os_brick/"),
}
_KINDS = {
    "database": ("/sqlalchemy/", "/oslo_db/", "/cinder/db/"),
    "requests": (f"{_TOP}datera_volume/connection/", "/requests/", "/urllib3/"),
    "commands": ("/oslo_concurrency/processutils.py", "/subprocess.py"),
}


def work_in(files: Iterable[str]) -> tuple[str, str]:
    """Return on whose behalf a stack runs, and what kind of work it does.

    :param files: the files of its frames, the innermost first.
    """
    innermost = list(files)
    kind = next((kind for file in innermost if (kind := _one_of(_KINDS, file))), PYTHON)
    owners = {_one_of(_OWNERS, file) for file in innermost}
    # Cinder calls us, and what we call of it is our part.
    return next((one for one in (OURS, CINDERS) if one in owners), BENCH), kind


def _one_of(named: Mapping[str, tuple[str, ...]], file: str) -> str | None:
    # The emulator's side of an attachment stands for os-brick's.
    if "/datera_emulator/" in file or "/tests/fixtures/" in file:
        return None
    return next((name for name, parts in named.items() if any(p in file for p in parts)), None)


class Sampler:
    """Samples while the block runs, in the main thread.

    :ivar seconds: of processor time, by owner and kind.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._main = self._whole = 0.0

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        main, whole = time.thread_time(), time.process_time()
        used = main - self._main
        self.seconds[work_in(_files(frame))] += used
        self.seconds[OURS, THREADS] += whole - self._whole - used
        self._main, self._whole = main, whole

    def __enter__(self) -> Sampler:
        self._main, self._whole = time.thread_time(), time.process_time()
        self._before = signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _SECONDS, _SECONDS)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)


def _files(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back
