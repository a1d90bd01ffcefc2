# SPDX-License-Identifier: Apache-2.0
"""Names and properties that mean something elsewhere are names in every output of the command."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from backup_dispatch.masking import printable
from backup_dispatch.process import this_process
from tests.fixtures.backends.five_backends import make_room
from tests.fixtures.faults.extent import portion
from tests.fixtures.faults.hostile import MARK, TEXTS, steers_a_terminal
from tests.functional.backup_dispatch.command.conftest import run

__all__ = ["run"]

Run = Callable[..., Any]
Tally = Callable[[str, int], None]

DEFAULTS = """\
backup_driver = backup_dispatch.driver.BackupDispatcher
enabled_backup_backends = posix
backup_dispatch_retention = all
"""
POLICY = "[all]\nkeep_last = 1\n"
OURS = (
    "backup_keep",
    "backup_prune",
    "backup_stored",
    "backup_verified",
    "backup_verification_tried",
    "copy_of",
)
"""Properties that mean something to the command; users may set them."""
ROOM = 255
"""Characters that Cinder's records have room for."""


class Elements(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.kinds.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def understood(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    elements.close()
    return elements


@pytest.fixture
def cinder(start_cinder: Callable[..., Any]) -> Iterator[Any]:
    started = start_cinder(defaults=DEFAULTS, sections=POLICY)
    make_room(started, 1000)
    yield started
    this_process().stop_checking()


def test_names_and_properties_are_nothing_but_texts_in_every_output(
    cinder: Any, run: Run, tmp_path: Path, tally: Tally
) -> None:
    volume = cinder.create_volume(1)
    plain = cinder.create_backup(volume, "posix_plain")
    before = understood(page_of(run, tmp_path))
    tried = portion(sorted(TEXTS.items()), "hostile names", small=6, brief=15)
    made = {}
    for what, text in tried:
        name = f"posix_{text}"[:ROOM]
        properties = {**dict.fromkeys(OURS, text[:ROOM]), f"k{text}"[:ROOM]: "v"}
        backup = cinder.create_backup(volume, name, properties=properties)
        assert backup.status == "available", (what, backup.fail_reason)
        assert backup.display_name == name
        assert backup.metadata["backup_keep"] == text[:ROOM]
        made[backup.id] = name

    lists_show(run, made)
    for number, (backup_id, name) in enumerate(made.items()):
        shown(run, backup_id, name)
        if number < 3:
            restored = run("verify", backup_id)
            assert (restored.code, steers_a_terminal(restored.out + restored.err)) == (0, [])
    for name in ("posix_plain", *made.values()):
        routed = run("route", "--", name, terminal=True)
        assert (routed.code, steers_a_terminal(routed.out)) == (0, []), name

    after = understood(page_of(run, tmp_path))
    assert (after.kinds - before.kinds, after.attributes - before.attributes) == (set(), set())
    text = run("report", "--format", "text")
    assert (text.code, steers_a_terminal(text.out)) == (0, [])
    metrics_hold(run)
    planned = run("prune", "--dry-run", terminal=True)
    assert (planned.code, steers_a_terminal(planned.out + planned.err)) == (0, [])

    for backup_id in (*made, plain.id):
        assert cinder.delete_backup(cinder.backup(backup_id)) is None
    assert not [one for one in (tmp_path / "posix").rglob("*") if one.is_file()]
    assert not list(Path("/tmp").glob(f"*{MARK}*"))
    tally("hostile names in all outputs", len(tried))


def lists_show(run: Run, made: dict[str, str]) -> None:
    table = run("list", "--status", "available", terminal=True)
    assert (table.code, steers_a_terminal(table.out + table.err)) == (0, [])
    # As many lines as rows, with the heading and three borders: none forges another.
    assert len(table.out.splitlines()) == len(made) + 1 + 4
    for form in ("json", "yaml", "csv"):
        told = run("list", "--status", "available", "-f", form)
        assert told.code == 0, told.err
        names = {row["ID"]: row["Name"] for row in rows_of(form, told.out)}
        assert made.items() <= names.items(), form


def rows_of(form: str, text: str) -> list[dict[str, Any]]:
    if form == "csv":
        # A backslash is one of two, as cliff writes it.
        return list(csv.DictReader(io.StringIO(text, newline=""), escapechar="\\"))
    return list(json.loads(text) if form == "json" else yaml.safe_load(text))


def shown(run: Run, backup_id: str, name: str) -> None:
    table = run("show", backup_id, terminal=True)
    assert (table.code, steers_a_terminal(table.out + table.err)) == (0, []), name
    assert run("show", backup_id, "-f", "json").json["name"] == name
    for form in ("value", "csv"):
        seen = run("list", "--status", "available", "-f", form, terminal=True)
        assert steers_a_terminal(seen.out) == [], name


def page_of(run: Run, folder: Path) -> str:
    path = folder / "report.html"
    ended = run("report", "--output", str(path))
    assert ended.code == 0, ended.err
    return path.read_text()


def metrics_hold(run: Run) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    told = run("metrics")
    assert told.code == 0, told.err
    families = list(text_string_to_metric_families(told.out))
    assert {one.name.partition("_")[0] for one in families} <= {"cinder", "backup"}, families
    assert "forged_metric" not in {one.name for one in families}


def test_no_value_of_the_property_that_asks_for_a_backend_breaks_a_backup(cinder: Any) -> None:
    volume = cinder.create_volume(1)
    for what, text in portion(sorted(TEXTS.items()), "asked backend", small=4, brief=12):
        backup = cinder.create_backup(volume, "x", properties={"backup_backend": text[:ROOM]})
        # Only what names no backend at all is no wish.
        assert backup.status == ("error" if text.strip() else "available"), what
        assert backup.status != "error" or "backend" in backup.fail_reason, backup.fail_reason
        assert cinder.delete_backup(backup) is None, what


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_printable_text_steers_no_terminal_and_loses_nothing(text: str) -> None:
    assert steers_a_terminal(printable(text)) == []
    assert "\n" not in printable(text)
    if not steers_a_terminal(text) and "\n" not in text:
        assert printable(text) == text
