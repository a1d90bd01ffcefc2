# SPDX-License-Identifier: Apache-2.0
"""The alert rules and the dashboard ask for metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cinder import objects

objects.register_all()

from backup_dispatch.counting.counters import FAILED, Counters  # noqa: E402
from backup_dispatch.counting.figures import (  # noqa: E402
    NEW,
    READ,
    RETRIES,
    SECONDS_READING,
    SHARED,
    STORED,
    WRITTEN,
    ZERO,
)
from backup_dispatch.counting.textfile import exposed  # noqa: E402
from backup_dispatch.jobs.metrics.exposition import Exposition  # noqa: E402
from backup_dispatch.jobs.runs import Run  # noqa: E402
from backup_dispatch.jobs.standing.model import BackendState  # noqa: E402
from tests.fixtures.standings import DAY, NOW, backup, standing, volume  # noqa: E402

FOLDER = Path(__file__).resolve().parents[3] / "monitoring"
NAME = re.compile(r"backup_dispatch_[a-z_]+")


@pytest.fixture(scope="module")
def told() -> dict[str, set[str]]:
    """The labels of each metric that a cloud and a service have, by its name."""
    every = dict.fromkeys((STORED, NEW, SHARED, ZERO, READ, WRITTEN, RETRIES, SECONDS_READING), 1)
    counters = Counters()
    with counters.operation("backup", "ceph", lambda _error: FAILED) as one:
        one.told = lambda: every
    counters.refused("backup", "backend_down")
    counters.checked("ceph", FAILED)
    snapshot = standing(
        [backup(1, DAY, parts={STORED: 1, NEW: 1, SHARED: 1, ZERO: 1})],
        [volume(1)],
        backends=[BackendState("ceph", "Ceph", True, "up", 0.1, [])],
        runs=[Run("prune", NOW, NOW, 0, NOW)],
        due=[],
    )
    with counters.operation("restore", "ceph", lambda _error: FAILED):
        text = Exposition(snapshot).text + exposed(counters.snapshot(), "node1", "0")
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if line.startswith("backup_dispatch_"):
            name = re.split(r"[ {]", line)[0]
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', line))
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    return [rule["expr"] for rule in rules()] + [
        target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())
    ]


def test_each_metric_that_is_asked_for_is_told(told: dict[str, set[str]]) -> None:
    asked = {name for one in expressions() for name in NAME.findall(one)}
    assert len(asked) > 15
    assert asked - told.keys() == set()


def test_each_label_that_is_asked_for_is_told(told: dict[str, set[str]]) -> None:
    for one in expressions():
        for name, selector in re.findall(r"(backup_dispatch_[a-z_]+)\{([^}]*)\}", one):
            assert set(re.findall(r"(\w+)=", selector)) <= told[name], one


def test_each_alert_is_tried_firing_and_not_firing() -> None:
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    tried = [one for test in tests for one in test["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {one["alertname"] for one in tried if one["exp_alerts"]} == names
    assert {one["alertname"] for one in tried if not one["exp_alerts"]} == names


def test_each_alert_says_what_to_do() -> None:
    for rule in rules():
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
