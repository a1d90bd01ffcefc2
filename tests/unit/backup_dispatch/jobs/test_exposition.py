# SPDX-License-Identifier: Apache-2.0
"""A snapshot as Prometheus' text."""

from __future__ import annotations

from datetime import timezone
from typing import Any

from cinder import objects
from prometheus_client.parser import text_string_to_metric_families

objects.register_all()

from backup_dispatch.counting.figures import NEW, SHARED, STORED, ZERO  # noqa: E402
from backup_dispatch.jobs.metrics.exposition import MOST_TYPES, Exposition  # noqa: E402
from backup_dispatch.jobs.runs import Run  # noqa: E402
from backup_dispatch.jobs.standing.model import BackendState, DueBackup, Holder, Kind  # noqa: E402
from tests.fixtures import standings  # noqa: E402
from tests.fixtures.standings import DAY, NOW, OLD, S3, backup, standing, volume  # noqa: E402

GIB = 2**30


def stamp(moment: Any) -> float:
    return float(moment.replace(tzinfo=timezone.utc).timestamp())


def samples(snapshot: Any, *prefixes: str) -> dict[tuple[str, ...], float]:
    """By the metric's name and the values of its labels, in the order of the labels' names."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(Exposition(snapshot, prefixes).text):
        assert family.documentation
        for one in family.samples:
            key = (one.name.removeprefix("backup_dispatch_"), *map(str, one.labels.values()))
            assert key not in found, "node_exporter refuses a file with a series twice"
            found[key] = one.value
    return found


def test_an_empty_cloud_has_zeros_where_a_rule_needs_them() -> None:
    found = samples(standing())
    assert found["backups", "ceph", "error"] == found["backups", "s3", "available"] == 0
    assert found["snapshot_timestamp_seconds",] == stamp(NOW)


def test_backups_are_counted_by_backend_and_state() -> None:
    found = samples(
        standing(
            [
                backup(1, DAY),
                backup(2, DAY, status="error"),
                backup(3, DAY, status="error"),
                backup(4, DAY, holder=OLD),
                backup(5, DAY, holder=Holder("reel", Kind.FORMER)),
                backup(6, DAY, status="<script>"),
            ]
        )
    )
    assert found["backups", "ceph", "error"] == 2
    assert found["backup_volume_bytes", "ceph", "error"] == 4 * GIB
    assert found["backups", "(not enabled)", "available"] == 2, "one series for all of them"
    assert found["backups", "ceph", "(other)"] == 1


def test_the_newest_good_backup_is_told_by_type_and_prefix() -> None:
    found = samples(
        standing(
            [
                backup(1, 3 * DAY),
                backup(2, 2 * DAY, name="ceph_nightly_2"),
                backup(3, DAY, status="error"),
                backup(4, DAY, past=standings.damaged(NOW)),
                backup(5, 5 * DAY, holder=S3, volume=2, name="whatever"),
            ],
            [volume(1), volume(2, None)],
        ),
        "ceph_nightly",
        "CEPH",
    )
    newest = {k[1:]: v for k, v in found.items() if "newest" in k[0]}
    assert newest == {
        ("ceph", "gold"): stamp(NOW - 3 * DAY),
        ("ceph_nightly", "gold"): stamp(NOW - 2 * DAY),
        ("", "(none)"): stamp(NOW - 5 * DAY),
    }


def test_volumes_without_a_good_backup_are_counted_and_the_stalest_is_told() -> None:
    found = samples(
        standing(
            [backup(1, DAY), backup(2, 9 * DAY, volume=2), backup(3, 30 * DAY, volume=3)],
            [volume(1), volume(2), volume(3, deleted=True), volume(4), volume(5, "tin")],
        )
    )
    assert found["volumes", "yes", "gold"] == 2
    assert found["volumes", "no", "gold"] == 1
    assert found["volumes", "no", "tin"] == 1
    assert found["stalest_volume_timestamp_seconds", "gold"] == stamp(NOW - 9 * DAY)


def test_verifications_are_told_by_backend() -> None:
    found = samples(
        standing(
            [
                backup(1, 9 * DAY, past=standings.sound(NOW - 2 * DAY)),
                backup(2, 4 * DAY),
                backup(3, 40 * DAY, past=standings.damaged(NOW - DAY)),
            ]
        )
    )
    assert found["verified_backups", "ceph", "sound"] == 1
    assert found["verified_backups", "ceph", "never"] == 1
    assert found["verified_backups", "ceph", "damaged"] == 1
    assert found["oldest_unverified_timestamp_seconds", "ceph"] == stamp(NOW - 4 * DAY)


def test_what_is_stored_and_saved_adds_up_to_the_volumes() -> None:
    parts = {STORED: GIB // 4, NEW: GIB, SHARED: GIB // 2, ZERO: GIB // 2}
    found = samples(standing([backup(1, DAY, parts=parts), backup(2, DAY)]))
    assert found["measured_backups", "ceph"] == 1
    assert found["stored_bytes", "ceph"] == GIB // 4
    told = {k[2]: v for k, v in found.items() if k[0] == "measured_volume_bytes"}
    assert told == {"new": GIB, "shared": GIB // 2, "zero": GIB // 2}


def test_a_backend_is_in_exactly_one_state() -> None:
    backends = [BackendState("ceph", "Ceph", True, "unknown", 0.5, ["?"])]
    found = samples(standing(backends=backends))
    states = {k[2]: v for k, v in found.items() if k[0] == "backend_state"}
    assert states == {"up": 0, "warn": 0, "unknown": 1, "down": 0}


def test_what_is_due_is_left_out_without_a_policy_and_zero_with_one() -> None:
    backups = [backup(1, DAY)]
    assert not any("prunable" in key[0] for key in samples(standing(backups)))
    found = samples(standing(backups, due=[DueBackup(backups[0].id, "daily")]))
    assert (found["prunable_backups", "ceph"], found["prunable_backups", "s3"]) == (1, 0)


def test_jobs_are_told_by_their_last_run() -> None:
    runs = [Run("prune", NOW - DAY, NOW, 3, None), Run("verify", NOW)]
    found = samples(standing(runs=runs))
    assert found["job_last_begin_timestamp_seconds", "prune"] == stamp(NOW - DAY)
    assert found["job_last_exit_code", "prune"] == 3
    assert found["job_last_success_timestamp_seconds", "prune"] == 0
    assert found["job_last_end_timestamp_seconds", "verify"] == 0


def test_the_number_of_series_is_bounded_and_names_nobody() -> None:
    many = 3 * MOST_TYPES
    hostile = 'x"\n{}\\ <script>'
    snapshot = standing(
        [backup(n, DAY, volume=n, name=f"secret-{n}", project=f"project-{n}") for n in range(many)],
        [volume(n, f"{hostile}{n}", name=f"private-{n}") for n in range(many)],
    )
    text = Exposition(snapshot).text
    assert len(samples(snapshot)) < 5 * MOST_TYPES
    for word in ("secret-", "project-", "private-", standings.identifier(1)):
        assert word not in text
    assert sum(v for k, v in samples(snapshot).items() if k[0] == "volumes") == many
