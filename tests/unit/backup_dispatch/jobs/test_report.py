# SPDX-License-Identifier: Apache-2.0
"""The report, as a page and as text."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from cinder import objects

objects.register_all()

from backup_dispatch.counting.figures import NEW, SHARED, STORED, ZERO  # noqa: E402
from backup_dispatch.jobs.report import calendar, chains  # noqa: E402
from backup_dispatch.jobs.report.chain import chains_of  # noqa: E402
from backup_dispatch.jobs.report.contents import (  # noqa: E402
    MOST_FAILURES,
    MOST_VOLUMES,
    contents_of,
)
from backup_dispatch.jobs.report.days import Day, first_day  # noqa: E402
from backup_dispatch.jobs.report.page import page_of  # noqa: E402
from backup_dispatch.jobs.report.text import WIDTH, text_of  # noqa: E402
from backup_dispatch.jobs.report.values import values_of  # noqa: E402
from backup_dispatch.jobs.runs import Run  # noqa: E402
from backup_dispatch.jobs.standing.model import BackendState, DueBackup, Standing  # noqa: E402
from tests.fixtures import standings  # noqa: E402
from tests.fixtures.standings import DAY, NOW, S3, backup, standing, volume  # noqa: E402

HOUR = timedelta(hours=1)
GIB = 2**30
HOSTILE = "<script>alert('x')</script>\"&\x1b[31m\n"


class Elements(HTMLParser):
    """What a browser would make of the page."""

    VOID = ("meta", "link", "img", "br", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def names(self) -> set[str]:
        return {tag for tag, _ in self.found}


def full() -> Standing:
    """A cloud in which everything is, with hostile names."""
    parts = {STORED: GIB // 4, NEW: GIB, SHARED: GIB // 2, ZERO: GIB // 2}
    return standing(
        [
            backup(1, 3 * DAY, name=HOSTILE, parts=parts),
            backup(2, 2 * DAY, parent=standings.identifier(1), past=standings.sound(NOW - DAY)),
            backup(3, DAY, status="error", reason=HOSTILE * 3, name=HOSTILE),
            backup(4, DAY, holder=S3, volume=2, past=standings.damaged(NOW)),
            backup(5, 2 * DAY, holder=standings.REFUSED, volume=3, status="error"),
            backup(6, 2 * DAY, holder=standings.OLD, volume=3),
        ],
        [volume(1, HOSTILE, name=HOSTILE), volume(2), volume(4)],
        backends=[
            BackendState("ceph", "CephBackupDriver", True, "up", 0.1, []),
            BackendState("s3", "S3BackupDriver", False, "down", 0.1, [HOSTILE, "x" * 200]),
        ],
        runs=[Run("prune", NOW - DAY, NOW - DAY + HOUR, 0, NOW), Run("verify", NOW - HOUR)],
        due=[DueBackup(standings.identifier(1), HOSTILE)],
        not_known=[HOSTILE],
    )


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    page = page_of(contents_of(full(), "cloud"))
    elements = Elements(page)
    assert not elements.names & {"script", "link", "img", "iframe", "object", "form", "a"}
    assert "url(" not in page
    assert "@import" not in page
    assert not re.search(r"https?://", page)
    for _, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href")]


def test_hostile_names_are_texts_on_the_page() -> None:
    page = page_of(contents_of(full(), HOSTILE))
    assert "<script" not in page
    elements = Elements(page)
    assert sum("<script>alert('x')</script>" in text for text in elements.texts) >= 6


def test_a_page_of_an_empty_cloud_says_so() -> None:
    page = page_of(contents_of(standing(), "cloud"))
    Elements(page)
    assert "There is no backup." in page
    assert "Due to be pruned" not in page


@pytest.mark.parametrize("snapshot", [full(), standing()])
def test_no_line_of_the_text_is_longer_than_a_mails(snapshot: Standing) -> None:
    text = text_of(
        contents_of(snapshot, "a cloud with a name that is much longer than a line " * 3)
    )
    assert max(map(len, text.splitlines())) <= WIDTH == 72
    assert all(sign.isprintable() or sign == "\n" for sign in text)


def test_the_text_says_all_that_the_page_does() -> None:
    text = text_of(contents_of(full(), "cloud"))
    for words in (
        "ceph", "DOWN", "(primary)", "2.0 GiB", "256.0 MiB", "8.0 : 1", "Failures (2)", "never",
        "Due to be pruned (1)", "its newest backup is damaged", "ended well", "not ended",
    ):  # fmt: skip
        assert words in text, words


def test_the_values_are_json() -> None:
    values = json.loads(json.dumps(values_of(contents_of(full(), "cloud"))))
    assert values["all_failures"] == 2
    assert [one["state"] for one in values["backends"]] == ["up", "down"]
    (ceph,) = (one for one in values["holdings"] if one["backend"] == "ceph")
    assert ceph["savings"] == {
        "total": 2 * GIB,
        "stored": GIB // 4,
        "compression": GIB - GIB // 4,
        "sharing": GIB // 2,
        "zeros": GIB // 2,
    }


def test_secrets_in_reasons_are_masked() -> None:
    failed = backup(1, DAY, status="error", reason="login failed: password=hunter22")
    contents = contents_of(standing([failed]), "cloud")
    assert "hunter22" not in page_of(contents) + text_of(contents)


def test_many_volumes_and_failures_are_told_by_their_number() -> None:
    many = [backup(n, DAY, volume=n, status="error" if n % 2 else "available") for n in range(200)]
    contents = contents_of(standing(many), "cloud")
    assert len(contents.volumes) == MOST_VOLUMES
    assert all(one.trouble for one in contents.volumes), "those in trouble come first"
    assert contents.more_volumes == 200 - MOST_VOLUMES
    assert (len(contents.failures), contents.all_failures) == (MOST_FAILURES, 100)
    assert "176 more volumes" in page_of(contents)


# Pictures


def test_a_calendar_has_a_square_for_each_day_up_to_today() -> None:
    today = NOW.date()
    days = {today: Day(made=4, failed=1, gib=8), today - DAY: Day(made=1)}
    drawn = Elements(f"<div>{calendar.drawn(days, today)}</div>")
    squares = [attributes for tag, attributes in drawn.found if tag == "rect"]
    assert len(squares) == (today - first_day(today)).days + 1
    assert [one["class"] for one in squares[-3:]] == ["d0", "d1", "d4 bad"] or NOW.weekday() == 0
    assert f"{today}: 4 made (8 GiB of volumes), 1 failed" in drawn.texts


def drawn_of(backups: list[Any], since: timedelta = 30 * DAY) -> Elements:
    found = chains_of(sorted(backups, key=lambda one: one.created))
    picture = chains.drawn(found, NOW - since, NOW, {"ceph": 0}, HOSTILE)
    assert "<script" not in picture
    return Elements(f"<div>{picture}</div>")


def test_a_chain_is_a_line_with_a_large_dot_for_its_full_backup() -> None:
    first = standings.identifier(1)
    drawn = drawn_of([backup(1, 9 * DAY), backup(2, 5 * DAY, parent=first, name=HOSTILE)])
    assert [tag for tag, _ in drawn.found].count("line") == 1
    radii = [float(one["r"] or 0) for tag, one in drawn.found if tag == "circle"]
    assert sorted(radii) == [2.5, 5]


def test_two_chains_of_a_volume_are_two_lines() -> None:
    drawn = drawn_of([backup(1, 9 * DAY), backup(2, 5 * DAY)])
    assert [tag for tag, _ in drawn.found].count("line") == 2


def test_a_year_of_hourly_backups_is_a_small_picture_and_hides_no_damage() -> None:
    long = [backup(n, n * HOUR, parent=standings.identifier(n + 1)) for n in range(365 * 24)]
    long[1000] = long[1000]._replace(past=standings.damaged(NOW))
    drawn = drawn_of(long, 60 * DAY)
    dots = [tag for tag, one in drawn.found if tag in ("circle", "rect")]
    assert len(dots) <= chains.WIDTH / 3 + 2
    assert "rect" in dots


def test_backups_that_are_each_others_parents_end_no_report() -> None:
    first, second = standings.identifier(1), standings.identifier(2)
    circle = [backup(1, 2 * DAY, parent=second), backup(2, DAY, parent=first)]
    found = chains_of(circle)
    assert sum(len(chain.members) for chain in found) == 2
    page_of(contents_of(standing(circle), "cloud"))
