# SPDX-License-Identifier: Apache-2.0
"""The service's counts as a file for node_exporter's textfile collector, written every so often.

A service may have several worker processes, and each has its own counts and file: the first
writes ``cinder-backup.prom``, the second ``cinder-backup.1.prom``, and so on. Which one a process
is, a lock on a file beside it decides, which the kernel releases when the process ends: so there
are never more names than workers, and a series goes on with the next process of that number.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from oslo_log import log as logging

from backup_dispatch import opts
from backup_dispatch.counting import figures as names
from backup_dispatch.counting.counters import OUTCOMES, Counts, counters
from backup_dispatch.counting.whole_file import write_text
from backup_dispatch.errors import reason_of

LOG = logging.getLogger(__name__)

PREFIX = "backup_dispatch_service_"

MOST_WORKERS = 64

_BYTES = (
    ("read_bytes", names.READ, "Bytes of volumes that were read"),
    ("written_bytes", names.WRITTEN, "Bytes of volumes that were written"),
    ("stored_bytes", names.STORED, "Bytes that the backend got, or gave, compressed as they are"),
    ("new_bytes", names.NEW, "Bytes of volumes that backups store themselves, uncompressed"),
    ("shared_bytes", names.SHARED, "Bytes of volumes that earlier backups store"),
    ("zero_bytes", names.ZERO, "Bytes of volumes that are zeros, which nobody stores"),
    ("retries", names.RETRIES, "Requests to the backend that were repeated"),
)


def families(counts: Counts, host: str, worker: str) -> Iterator[Any]:
    """The counts as Prometheus' metric families.

    :param host: the service's host, as Cinder calls it.
    """
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    where = ("host", "worker")
    here = [host, worker]
    work = (*where, "operation", "backend")

    def counter(name: str, text: str, labels: tuple[str, ...], rows: Mapping[Any, float]) -> Any:
        family = CounterMetricFamily(f"{PREFIX}{name}", text, labels=labels)
        for values, number in sorted(rows.items()):
            family.add_metric([*here, *values], number)
        return family

    running = GaugeMetricFamily(f"{PREFIX}running", "Operations under way", labels=work)
    for (kind, backend), number in sorted(counts.running.items()):
        running.add_metric([*here, kind, backend], number)
    yield running
    # All outcomes from the first operation on, so that the first failure is seen as an increase.
    known = {(kind, backend) for kind, backend, _ in counts.ended} | set(counts.running)
    ended = {
        (*one, outcome): counts.ended.get((*one, outcome), 0)
        for one in known
        for outcome in OUTCOMES
    }
    yield counter("operations", "Operations of backends that have ended", (*work, "outcome"), ended)
    yield counter("seconds", "Seconds that ended operations took", work, dict(counts.seconds))
    for name, key, text in _BYTES:
        rows = {one: moved[key] for one, moved in counts.figures.items() if key in moved}
        yield counter(name, text, work, rows)
    stages = {
        (*one, stage): moved[key]
        for one, moved in counts.figures.items()
        for stage, key in names.STAGES.items()
        if key in moved
    }
    yield counter(
        "stage_seconds", "Seconds of an operation's threads together, by stage", (*work, "stage"),
        stages,
    )  # fmt: skip
    yield counter(
        "refusals", "Operations refused before their backend was called",
        (*where, "operation", "reason"), dict(counts.refused),
    )  # fmt: skip
    yield counter(
        "checks", "Checks of backends by the service", (*where, "backend", "outcome"),
        dict(counts.checks),
    )  # fmt: skip


def exposed(counts: Counts, host: str, worker: str) -> str:
    """The counts in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Once:
        def collect(self) -> Iterator[Any]:
            return families(counts, host, worker)

    registry = CollectorRegistry()
    registry.register(Once())
    return generate_latest(registry).decode()


class Textfile:
    """The file of this process.

    :param path: the first worker's.
    """

    def __init__(self, path: Path, host: str) -> None:
        self._path = path
        self._host = host
        self._number: int | None = None
        self._lock: Any = None

    def write(self) -> None:
        """Write the counts as they are now.

        :raises OSError: the folder or the file cannot be written.
        """
        number = self._worker()
        path = self._path
        if number:
            path = path.with_name(f"{path.stem}.{number}{path.suffix}")
        write_text(path, exposed(counters().snapshot(), self._host, str(number)))

    def _worker(self) -> int:
        if self._number is None:
            for number in range(MOST_WORKERS):
                lock = open(  # noqa: SIM115 - held as long as this process lives
                    self._path.with_name(f".{self._path.name}.{number}.lock"), "a"
                )
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    lock.close()
                    continue
                self._lock, self._number = lock, number
                return number
            raise OSError(f"{MOST_WORKERS} processes write {self._path} already")
        return self._number

    def close(self) -> None:
        """Let another process be this worker."""
        if self._lock is not None:
            self._lock.close()
        self._lock = self._number = None


class Writing:
    """Writes a process's file again and again, in a thread of its own.

    :param interval: seconds.
    """

    def __init__(self, file: Textfile, interval: float) -> None:
        self._file = file
        self._interval = interval
        self._ended = threading.Event()
        self._failed = ""

    def start(self) -> None:
        """Begin; returns at once, see :class:`backup_dispatch.health.Health` for the thread."""
        _thread.start_new_thread(self._run, ())

    def stop(self) -> None:
        """Write no more."""
        self._ended.set()

    def _run(self) -> None:
        threading.current_thread().name = "metrics of the backup service"
        while True:
            self.once()
            if self._ended.wait(self._interval):
                self._file.close()
                return

    def once(self) -> None:
        """Write; a failure is logged once, and tried again."""
        try:
            self._file.write()
        except Exception as error:
            reason = reason_of(error)
            if reason != self._failed:
                LOG.warning(
                    "The metrics of the backup service could not be written, next try in %g s: %s",
                    self._interval,
                    reason,
                )
            self._failed = reason
        else:
            self._failed = ""


_guard = threading.Lock()
_writing: tuple[int, str, Writing] | None = None


def start_writing(conf: Any, make: Callable[[Textfile, float], Writing] = Writing) -> None:
    """Begin to write the file that the options name, once per process; without one, do nothing."""
    global _writing  # noqa: PLW0603 - this is the one state per process that there is
    path = conf[opts.METRICS_FILE]
    if not path:
        return
    with _guard:
        if _writing is not None:
            pid, written, before = _writing
            if (pid, written) == (os.getpid(), path):
                return
            if pid == os.getpid():
                before.stop()
        writing = make(Textfile(Path(path), conf.host), conf[opts.METRICS_INTERVAL])
        _writing = os.getpid(), path, writing
        writing.start()


def stop_writing() -> None:
    """Write no more in this process."""
    global _writing  # noqa: PLW0603
    with _guard:
        if _writing is not None and _writing[0] == os.getpid():
            _writing[2].stop()
        _writing = None
