# SPDX-License-Identifier: Apache-2.0
"""What the build of the pages adds to them: languages of blocks, the date in the footer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from pagebuild.breaks import allow_breaks, broken
from pagebuild.dates import date_of_sources
from pagebuild.languages import language_of

DAY = 86_400


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("[DEFAULT]\nbackup_driver = ceph\n# a remark\n", "ini"),
        ("make demo      # the main job\n", "bash"),
        ("$ backup-dispatch check\n(service): up\n", "console"),
        ('{"a": 1}\n', "json"),
        ('{"http_port": …}\n', "text"),
        ("import os\n", "python"),
        ("Backup 4a7e… goes to backend swift: its name begins with it.\n", "text"),
    ],
)
def test_block_gets_the_language_that_it_is_in(text: str, language: str) -> None:
    assert language_of(text) == language


def test_date_is_the_epoch_s_if_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(DAY))
    assert date_of_sources(Path("nowhere")) == "1970-01-02"


def commit(repository: Path) -> None:
    subprocess.run(["git", "init", "-q", repository], check=True)
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(
        ["git", *who, "commit", "-q", "--allow-empty", "-m", "Begin"],
        cwd=repository,
        env={**os.environ, "GIT_COMMITTER_DATE": "2001-02-03T04:05:06 +0000"},
        check=True,
    )


def pages_of(project: Path) -> Path:
    pages = project / "docs"
    pages.mkdir(parents=True)
    for number, name in enumerate(("index.md", "newest.md")):
        (pages / name).write_text("")
        os.utime(pages / name, (number * DAY, number * DAY))
    return pages


def test_date_is_the_last_commit_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    commit(tmp_path)
    assert date_of_sources(pages_of(tmp_path)) == "2001-02-03"


@pytest.mark.parametrize("inside_of_another_repository", [False, True])
def test_date_outside_of_git_is_the_newest_page_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside_of_another_repository: bool
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    if inside_of_another_repository:
        commit(tmp_path)
    assert date_of_sources(pages_of(tmp_path / "unpacked")) == "1970-01-02"


def test_date_without_git_installed_is_the_newest_page_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / ".git").mkdir()
    assert date_of_sources(pages_of(tmp_path)) == "1970-01-02"


@pytest.mark.parametrize(
    ("word", "html"),
    [
        ("backup_datera_san_ip", "backup_<wbr>datera_<wbr>san_<wbr>ip"),
        ("--keep-daily", '<span class="whole">--keep</span>-daily'),
        ("key=swift", "key=<wbr>swift"),
        ("2.1", "2.<wbr>1"),
        ("…", "…"),
    ],
)
def test_long_name_may_be_broken_at_its_joints_only(word: str, html: str) -> None:
    assert broken(word) == html


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("backup_dispatch_primary", "backup_<wbr>dispatch_<wbr>primary"),
        ("ManageExistingVolume", "Manage<wbr>Existing<wbr>Volume"),
        ("An OpenStack", "An Open<wbr>Stack"),
    ],
)
def test_long_name_in_a_heading_may_be_broken_at_its_joints(name: str, html: str) -> None:
    context = {"body": f"<h3>{name}<a>#</a></h3><p>a_b InText</p>"}
    allow_breaks(None, "page", "page.html", context, None)  # type: ignore[arg-type]
    assert context["body"] == f"<h3>{html}<a>#</a></h3><p>a_b InText</p>"
