# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch report`` beside a Cinder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.release

Start = Callable[..., Any]
Run = Callable[..., Any]

HOSTILE = "posix_<script>alert(1)</script>"


@pytest.fixture
def cinder(start_dispatching: Start) -> Any:
    """A chain of two, a hostile name, and a refused backup."""
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    for name in ("posix_1", "posix_2", HOSTILE):
        made = cinder.create_backup(volume, name, incremental=name == "posix_2")
        assert made.status == "available", made.fail_reason
    assert cinder.create_backup(volume, "ceph_1").status == "error"
    return cinder


@pytest.mark.usefixtures("cinder")
def test_the_report_is_a_page_a_text_or_json(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "backups.html"
    ended = run("report", "--output", str(page), "--title", "Cloud <b>")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    html = page.read_text()
    assert html.startswith("<!doctype html>")
    assert "<script" not in html
    assert "posix_&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "Cloud &lt;b&gt;" in html

    text = run("report")
    assert text.code == 0
    assert max(map(len, text.out.splitlines())) <= 72
    assert "a backend that is not enabled here" in " ".join(text.out.split())

    values = json.loads(run("report", "-f", "json").out)
    assert values["all_failures"] == 1
    assert [len(chain) for chain in values["volumes"][0]["chains"]] in (
        [2, 1, 1],
        [1, 1, 2],
        [1, 2, 1],
    )
    (posix,) = (one for one in values["holdings"] if one["backend"] == "posix")
    assert posix["measured"] == posix["backups"] == 3


def test_a_folder_that_is_missing_is_told_before_anything_is_read(run: Run, cinder: Any) -> None:
    assert cinder
    ended = run("report", "--output", "/nowhere/at/all/x.html")
    assert (ended.code, ended.out) == (2, "")
    assert "there is no folder /nowhere/at/all" in ended.err


def test_without_its_packages_the_page_says_what_to_install(
    run: Run, cinder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cinder
    for name in [one for one in sys.modules if one.startswith("backup_dispatch.jobs.report")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "svg", None)
    page = tmp_path / "backups.html"
    ended = run("report", "--output", str(page))
    assert ended.code == 2
    assert "pip install 'backup-dispatch[report]'" in ended.err
    assert not page.exists()
    assert run("report").code == 0, "text needs no pictures"
