# SPDX-License-Identifier: Apache-2.0
"""The reference has everything that is defined; it is generated from the definitions."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
from pagebuild.references import PLACE, TEXTS
from reference import cinder_errors, commands, errors, options, properties
from reference.markdown import marked
from reference.since import since
from reference.sources import constants

from backup_dispatch.errors import BackendDown
from datera_volume.policies import SETTINGS
from tests.fixtures.pages import ROOT

NOT_OF_A_BACKUP = {"backup_driver", "backup_gcs_proxy_url"}
"""Options of Cinder's own."""


def headings(text: str) -> list[str]:
    return re.findall(r"^###? (\S.*)$", text, re.MULTILINE)


def test_each_text_has_its_place_on_a_page() -> None:
    pages = (ROOT / "docs" / "reference").glob("*.md")
    places = [place for page in pages for place in PLACE.findall(page.read_text())]
    assert sorted(places) == sorted(TEXTS)


def test_each_option_of_the_sample_configuration_is_there() -> None:
    shown = headings(options.text())
    for entry in metadata.entry_points(group="oslo.config.opts"):
        if entry.name in ("backup_dispatch", "datera_backup", "datera_volume"):
            for _, defined in entry.load()():
                assert {option.name for option in defined} <= set(shown)


def test_each_option_says_what_it_is_for_and_since_when() -> None:
    for entry in options.text().split("\n### ")[1:]:
        name, _, line, _, told, *_ = entry.splitlines()
        assert re.search(r"; since \d{4}\.\d+", line), name
        assert len(told.split()) > 3, name


def test_bounds_choices_and_secrets_of_an_option_are_told() -> None:
    text = options.text()
    assert "*whole number, 1 to 5; default: `3`; since" in text
    assert "*one of `2.1`, `2.2`, `2.3`; default: `2.2`; since" in text
    assert "*text; **required**; secret: never logged or shown; since" in text


def test_option_of_a_later_version_is_since_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    history = (("2027.3.1.0", "- `backup_datera_workers`: new"), ("2026.12.1.0", "The first."))
    monkeypatch.setattr("reference.since._history", lambda: history)
    assert since("backup_datera_workers") == "2027.3.1.0"
    assert since("backup_datera_requests") == "2026.12.1.0"


def test_each_command_is_there_with_each_argument() -> None:
    parsers = dict(commands.parsers())
    assert {"backup-dispatch prune", "datera-backup salvage"} <= set(parsers)
    text = commands.text()
    assert headings(text) == list(parsers)
    for typed, parser in parsers.items():
        section = text.partition(f" {typed}\n")[2].partition("\n### ")[0]
        for action in parser._actions:
            if action.help != "==SUPPRESS==" and "-h" not in action.option_strings:
                assert all(name in section for name in action.option_strings), (typed, action)


def test_each_error_is_there_with_its_messages() -> None:
    text = errors.text()
    assert {"BackendDown", "ContainerBusy", "LimitReached", "CommandEnded"} <= set(headings(text))
    assert "- `` Backup backend BACKEND is down: REASON ``" in text
    assert str(BackendDown("ceph", "x")) == "Backup backend ceph is down: x"
    assert all(one.means for one in errors.errors())


def test_each_exception_of_cinder_that_is_raised_has_a_meaning_and_a_remedy() -> None:
    raised = cinder_errors.raised()
    assert raised.keys() == cinder_errors.TOLD.keys()
    assert {"VolumeIsBusy", "BackupRestoreCancel"} <= raised.keys()
    assert all(len(told.split()) > 5 for both in cinder_errors.TOLD.values() for told in both)
    assert "- `` Connector doesn't have required information: initiator ``" in cinder_errors.text()


def test_each_property_of_a_backup_is_there() -> None:
    shown = {one.value for one in properties.properties()}
    defined = {option.name for _, _, chapter in options.CHAPTERS for option in chapter}
    named = {
        one.value
        for one in constants()
        if re.fullmatch(r"backup_[a-z_]*[a-z]", one.value) and one.name.isupper()
    }
    assert shown - {"copy_of"} == named - defined - NOT_OF_A_BACKUP


def test_each_extra_spec_is_there() -> None:
    shown = set(properties.extra_specs())
    assert shown == {"backup:backend"} | {f"DF:{name}" for name in SETTINGS}
    assert "*whole number, 1 to 5; default: `3`*" in properties.extra_specs_text()


def test_notifications_are_those_that_are_sent() -> None:
    assert properties.notifications() == ["backup.createprogress"]


def test_names_in_a_help_are_code_and_its_stars_are_stars() -> None:
    assert marked("of *.conf or backup_keep") == r"of \*.conf or `backup_keep`"
    assert marked("by :data:`~a.KEEP` and ``--all``") == "by `a.KEEP` and `--all`"
    assert marked("is backup_dispatch.driver or --from") == "is backup_dispatch.driver or `--from`"
