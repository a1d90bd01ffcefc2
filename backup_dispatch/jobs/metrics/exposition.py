# SPDX-License-Identifier: Apache-2.0
"""A snapshot as Prometheus' text.

Times are given as times, not as ages: an age would stand still between two scrapes, and after the
last one. No label has a value that users choose freely, except for volume types, of which at most
so many are told apart; backups, volumes and projects are never named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from cinder.objects import fields
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from backup_dispatch.counting.figures import NEW, SHARED, STORED, ZERO
from backup_dispatch.jobs.standing import summary
from backup_dispatch.jobs.standing.model import GIB, STATES, Holder, Kind, Standing

PREFIX = "backup_dispatch_"

MOST_TYPES = 100
"""Volume types that are told apart; the others count together."""

FORMER = "(not enabled)"

Row = tuple[Sequence[str], float]


class Exposition:
    """The metrics of one snapshot.

    :param prefixes: of backups' names, beside the names of backends, to be told apart.
    :ivar not_known: what is left out, one line each, with the reason.
    """

    def __init__(self, standing: Standing, prefixes: Sequence[str] = ()) -> None:
        self.not_known = standing.not_known
        self._standing = standing
        enabled = {name.lower() for name in standing.enabled}
        more = [one for one in dict.fromkeys(prefixes) if one.lower() not in enabled]
        self._prefix_of = summary.prefixes_in((*standing.enabled, *more))
        volumes = standing.volumes.values()
        amounts = Counter(one.kind or summary.NO_TYPE for one in volumes)
        self._type = summary.bounded(amounts, MOST_TYPES)

    @property
    def text(self) -> str:
        """The metrics in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry).decode()

    def collect(self) -> Iterator[Any]:
        """All metric families."""
        yield _gauge(
            "snapshot_timestamp_seconds", "When these metrics were read", (),
            [((), _seconds(self._standing.now))],
        )  # fmt: skip
        yield from self._backends()
        yield from self._backups()
        yield from self._freshness()
        yield from self._verification()
        yield from self._due()
        yield from self._jobs()

    def _backends(self) -> Iterator[Any]:
        backends = self._standing.backends
        if not backends:
            return
        yield _gauge(
            "backend_state", "1 for the state that a backend is in", ("backend", "state"),
            (((one.name, word), one.word == word) for one in backends for word in STATES),
        )  # fmt: skip
        yield _gauge(
            "backend_check_seconds", "How long a backend took to be examined", ("backend",),
            (((one.name,), one.seconds) for one in backends),
        )  # fmt: skip

    def _backups(self) -> Iterator[Any]:
        counts: Counter[tuple[str, str]] = Counter()
        sizes: Counter[tuple[str, str]] = Counter()
        for name in self._standing.enabled:
            # So that a rule about failures sees a zero, and not nothing, before the first one.
            for status in (fields.BackupStatus.AVAILABLE, fields.BackupStatus.ERROR):
                counts[name, status] = sizes[name, status] = 0
        for (holder, status), (count, size) in summary.states(self._standing).items():
            key = _label(holder), _status(status)
            counts[key] += count
            sizes[key] += size
        labels = ("backend", "status")
        yield _gauge("backups", "Backups by their record's state", labels, counts.items())
        yield _gauge(
            "backup_volume_bytes", "Sizes of the volumes that backups are of", labels, sizes.items()
        )
        held = [(_label(one), what) for one, what in summary.held(self._standing).items()]
        held = [(name, what) for name, what in held if what.measured]
        yield _gauge(
            "measured_backups", "Good backups of which it is known what they take", ("backend",),
            _summed(((name,), what.measured) for name, what in held),
        )  # fmt: skip
        yield _gauge(
            "stored_bytes", "What those take at the backend", ("backend",),
            _summed(((name,), what.parts[STORED]) for name, what in held),
        )  # fmt: skip
        yield _gauge(
            "measured_volume_bytes", "The volumes of those, by what became of their bytes",
            ("backend", "part"),
            _summed(
                ((name, part), what.parts[part])
                for name, what in held
                for part in (NEW, SHARED, ZERO)
            ),
        )  # fmt: skip

    def _freshness(self) -> Iterator[Any]:
        newest: dict[tuple[str, str], datetime] = {}
        for (kind, prefix), moment in summary.newest_good(self._standing, self._prefix_of).items():
            key = self._type(kind), prefix
            newest[key] = max(newest.get(key, moment), moment)
        yield _gauge(
            "newest_good_backup_timestamp_seconds",
            "The moment that the newest good backup's data is of", ("volume_type", "prefix"),
            ((key, _seconds(moment)) for key, moment in newest.items()),
        )  # fmt: skip
        covered = summary.coverage(self._standing)
        rows = [(self._type(kind), one) for kind, one in covered.items()]
        stalest: dict[str, datetime] = {}
        for kind, one in rows:
            if one.stalest is not None:
                stalest[kind] = min(stalest.get(kind, one.stalest), one.stalest)
        yield _gauge(
            "stalest_volume_timestamp_seconds",
            "Of the existing volumes' newest good backups, the moment that the oldest is of",
            ("volume_type",), (((kind,), _seconds(moment)) for kind, moment in stalest.items()),
        )  # fmt: skip
        yield _gauge(
            "volumes", "Existing volumes, by whether they have a good backup",
            ("volume_type", "backed_up"),
            _summed(
                ((kind, word), number)
                for kind, one in rows
                for word, number in (("yes", one.with_backup), ("no", one.without))
            ),
        )  # fmt: skip

    def _verification(self) -> Iterator[Any]:
        found = summary.verifications(self._standing)
        rows = [(_label(holder), one) for holder, one in found.items()]
        yield _gauge(
            "verified_backups", "Backups by their last verification", ("backend", "result"),
            _summed(
                ((name, word), number)
                for name, one in rows
                for word, number in (
                    ("sound", one.sound), ("damaged", one.damaged), ("never", one.never),
                )
            ),
        )  # fmt: skip
        oldest: dict[str, datetime] = {}
        for name, one in rows:
            if one.oldest is not None:
                oldest[name] = min(oldest.get(name, one.oldest), one.oldest)
        yield _gauge(
            "oldest_unverified_timestamp_seconds",
            "Since when the good backup is unverified that is so for the longest", ("backend",),
            (((name,), _seconds(moment)) for name, moment in oldest.items()),
        )  # fmt: skip

    def _due(self) -> Iterator[Any]:
        due = self._standing.due
        if due is None:
            return
        ids = {one.id for one in due}
        counts = Counter(dict.fromkeys(self._standing.enabled, 0))
        sizes = Counter(counts)
        for one in self._standing.backups:
            if one.id in ids:
                counts[_label(one.holder)] += 1
                sizes[_label(one.holder)] += one.gib * GIB
        yield _gauge(
            "prunable_backups", "Backups that policies no longer keep", ("backend",),
            (((name,), number) for name, number in counts.items()),
        )  # fmt: skip
        yield _gauge(
            "prunable_volume_bytes", "Sizes of the volumes of those", ("backend",),
            (((name,), number) for name, number in sizes.items()),
        )  # fmt: skip

    def _jobs(self) -> Iterator[Any]:
        runs = self._standing.runs
        for name, text, moments in (
            ("begin", "When the last run of a job on this host began", [r.began for r in runs]),
            ("end", "When it ended; 0 while it has not", [r.ended for r in runs]),
            ("success", "When one last ended well; 0 if none did", [r.succeeded for r in runs]),
        ):
            yield _gauge(
                f"job_last_{name}_timestamp_seconds", text, ("task",),
                (
                    ((run.job,), _seconds(moment) if moment else 0)
                    for run, moment in zip(runs, moments, strict=True)
                ),
            )  # fmt: skip
        yield _gauge(
            "job_last_exit_code", "The exit code of the last run that ended", ("task",),
            (((run.job,), run.code) for run in runs if run.code is not None),
        )  # fmt: skip


def _gauge(
    name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], float]]
) -> Any:
    family = GaugeMetricFamily(f"{PREFIX}{name}", text, labels=labels)
    for values, number in sorted(rows):
        family.add_metric(list(values), float(number))
    return family


def _summed(rows: Iterable[tuple[tuple[str, ...], float]]) -> list[tuple[tuple[str, ...], float]]:
    """Rows of the same labels added up: several former backends have one label."""
    sums: dict[tuple[str, ...], float] = {}
    for values, number in rows:
        sums[values] = sums.get(values, 0) + number
    return list(sums.items())


def _label(holder: Holder) -> str:
    """A backend's name; what a record says of others is not bounded by the configuration."""
    if holder.kind is Kind.FORMER:
        return FORMER
    return str(holder)


def _status(status: str) -> str:
    """The record's state; an administrator may have set any text."""
    return status if status in fields.BackupStatus.ALL else summary.OTHER


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=timezone.utc).timestamp()
