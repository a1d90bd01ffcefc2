# SPDX-License-Identifier: Apache-2.0
"""Prometheus' own tool on the rules, the dashboard's queries and the metrics."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from cinder import objects

objects.register_all()

from backup_dispatch.counting.counters import FAILED, Counters  # noqa: E402
from backup_dispatch.counting.figures import READ, STORED  # noqa: E402
from backup_dispatch.counting.textfile import exposed  # noqa: E402
from backup_dispatch.jobs.metrics.exposition import Exposition  # noqa: E402
from backup_dispatch.jobs.runs import Run  # noqa: E402
from tests.fixtures.standings import DAY, NOW, backup, standing, volume  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "monitoring"


def promtool(*arguments: str, text: str | None = None) -> None:
    done = subprocess.run(
        ["promtool", *arguments],
        cwd=FOLDER,
        input=text,
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_alert_rules() -> None:
    promtool("check", "rules", "alerts.yml")


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", "alerts_test.yml")


def test_promtool_accepts_each_query_of_the_dashboard(tmp_path: Path) -> None:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    queries = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", ())]
    assert queries
    rules = [
        {"record": f"query_{n}", "expr": re.sub(r"\$__\w+", "5m", query)}
        for n, query in enumerate(queries)
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(path))


@pytest.mark.parametrize("of", ["cloud", "service"])
def test_promtool_has_nothing_against_the_metrics(of: str) -> None:
    if of == "cloud":
        runs = [Run("prune", NOW, NOW, 0, NOW)]
        text = Exposition(standing([backup(1, DAY)], [volume(1)], runs=runs, due=[])).text
    else:
        counters = Counters()
        with counters.operation("backup", "ceph", lambda _error: FAILED) as one:
            one.told = lambda: {READ: 1, STORED: 1}
        counters.refused("backup", "backend_down")
        text = exposed(counters.snapshot(), "node1", "0")
    promtool("check", "metrics", text=text)
