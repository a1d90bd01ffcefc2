# SPDX-License-Identifier: Apache-2.0
"""The rules of choosing, row by row."""

from __future__ import annotations

import subprocess
import sys

import pytest

from backup_dispatch.rules import Choice, Refusal, Request, Rule, Table, choose

ENABLED = ("datera", "ceph", "ceph_east", "Swift", "tape-2.old")
KNOWN = frozenset({"datera", "ceph", "swift", "s3", "nfs", "posix", "ceph_west"})
TABLE = Table(ENABLED, primary="datera", known=KNOWN)
STRICT = Table(ENABLED, primary="datera", known=KNOWN, refuse_unmatched=True)

PREFIX, PROPERTY, TYPE, PRIMARY = Rule.PREFIX, Rule.PROPERTY, Rule.VOLUME_TYPE, Rule.PRIMARY

CHOSEN: list[tuple[str | None, str | None, str | None, str, Rule]] = [
    # name, property, volume type -> backend, rule
    # The prefix
    ("datera_nightly", None, None, "datera", PREFIX),
    ("ceph_nightly", None, None, "ceph", PREFIX),
    ("ceph", None, None, "ceph", PREFIX),
    ("ceph_", None, None, "ceph", PREFIX),
    ("ceph__x", None, None, "ceph", PREFIX),
    ("CEPH_nightly", None, None, "ceph", PREFIX),
    ("Ceph", None, None, "ceph", PREFIX),
    ("cEpH_NIGHTLY", None, None, "ceph", PREFIX),
    ("swift_1", None, None, "Swift", PREFIX),
    ("SWIFT", None, None, "Swift", PREFIX),
    ("tape-2.old_x", None, None, "tape-2.old", PREFIX),
    ("TAPE-2.OLD", None, None, "tape-2.old", PREFIX),
    ("ceph_夜間", None, None, "ceph", PREFIX),
    ("ceph_ nightly of monday", None, None, "ceph", PREFIX),
    ("ceph_datera", None, None, "ceph", PREFIX),
    ("datera_ceph", None, None, "datera", PREFIX),
    # The longest name first
    ("ceph_east", None, None, "ceph_east", PREFIX),
    ("ceph_east_1", None, None, "ceph_east", PREFIX),
    ("CEPH_East_1", None, None, "ceph_east", PREFIX),
    ("ceph_eastern", None, None, "ceph", PREFIX),
    ("ceph_eas", None, None, "ceph", PREFIX),
    ("ceph_westward", None, None, "ceph", PREFIX),
    ("ceph-east_1", None, None, "datera", PRIMARY),
    # No prefix
    (None, None, None, "datera", PRIMARY),
    ("", None, None, "datera", PRIMARY),
    ("_", None, None, "datera", PRIMARY),
    ("_x", None, None, "datera", PRIMARY),
    ("_ceph", None, None, "datera", PRIMARY),
    ("nightly", None, None, "datera", PRIMARY),
    ("cephalopod", None, None, "datera", PRIMARY),
    ("cephalopod_x", None, None, "datera", PRIMARY),
    ("ceph-nightly", None, None, "datera", PRIMARY),
    ("ceph nightly", None, None, "datera", PRIMARY),
    ("ceph.nightly", None, None, "datera", PRIMARY),
    (" ceph_nightly", None, None, "datera", PRIMARY),
    ("cep", None, None, "datera", PRIMARY),
    ("my_ceph_x", None, None, "datera", PRIMARY),
    ("s3x_1", None, None, "datera", PRIMARY),
    ("tape-2xold_x", None, None, "datera", PRIMARY),
    # Other scripts: some of these letters have a Latin lower case or look Latin
    ("резерв_1", None, None, "datera", PRIMARY),
    ("备份_1", None, None, "datera", PRIMARY),
    ("ѕwift_1", None, None, "datera", PRIMARY),  # noqa: RUF001
    ("ſwift_1", None, None, "datera", PRIMARY),  # noqa: RUF001
    ("ＣＥＰＨ_1", None, None, "datera", PRIMARY),  # noqa: RUF001
    ("İ_1", None, None, "datera", PRIMARY),
    ("ceph＿1", None, None, "datera", PRIMARY),  # noqa: RUF001
    # The property
    ("nightly", "ceph", None, "ceph", PROPERTY),
    (None, "swift", None, "Swift", PROPERTY),
    ("", "SWIFT", None, "Swift", PROPERTY),
    ("nightly", " ceph_east ", None, "ceph_east", PROPERTY),
    ("nightly", "", None, "datera", PRIMARY),
    ("nightly", "  ", None, "datera", PRIMARY),
    # Prefix and property agree
    ("ceph_1", "ceph", None, "ceph", PREFIX),
    ("ceph_1", "CEPH", None, "ceph", PREFIX),
    ("swift_1", "Swift", None, "Swift", PREFIX),
    # The volume type
    ("nightly", None, "ceph", "ceph", TYPE),
    (None, None, "Ceph_East", "ceph_east", TYPE),
    ("nightly", None, "", "datera", PRIMARY),
    ("swift_1", None, "ceph", "Swift", PREFIX),
    ("nightly", "swift", "ceph", "Swift", PROPERTY),
    ("datera_1", None, "ceph", "datera", PREFIX),
    # What the user says stands above a volume type that says nonsense
    ("swift_1", None, "tape", "Swift", PREFIX),
]

REFUSED: list[tuple[str | None, str | None, str | None, str]] = [
    # name, property, volume type -> what the refusal says
    ("s3_nightly", None, None, "name begins with s3, a backend that is not enabled"),
    ("S3", None, None, "name begins with s3"),
    ("nfs_", None, None, "name begins with nfs"),
    ("posix_1", "ceph", None, "name begins with posix"),
    ("ceph_west_1", None, None, "name begins with ceph_west"),
    ("ceph_west", None, "ceph", "name begins with ceph_west"),
    ("nightly", "s3", None, "property backup_backend names 's3'"),
    ("nightly", "tape", None, "property backup_backend names 'tape'"),
    ("nightly", "ceph_", None, "property backup_backend names 'ceph_'"),
    ("ceph_1", "s3", None, "property backup_backend names 's3'"),
    ("ceph_1", "swift", None, "asks for backend ceph and its property backup_backend for Swift"),
    ("ceph_1", "ceph_east", None, "asks for backend ceph and its"),
    ("ceph_east_1", "ceph", None, "asks for backend ceph_east and its"),
    ("nightly", None, "s3", "extra spec backup:backend names 's3'"),
    ("nightly", None, "tape", "enabled are Swift, ceph, ceph_east, datera, tape-2.old"),
]


@pytest.mark.parametrize(("name", "wanted", "type_default", "backend", "rule"), CHOSEN)
def test_backend_is_chosen_by_name_then_property_then_volume_type(
    name: str | None, wanted: str | None, type_default: str | None, backend: str, rule: Rule
) -> None:
    choice = choose(Request(name, wanted, type_default), TABLE)
    assert isinstance(choice, Choice), choice
    assert (choice.backend, choice.rule) == (backend, rule)
    assert backend in choice.because


@pytest.mark.parametrize(("name", "wanted", "type_default", "says"), REFUSED)
@pytest.mark.parametrize("table", [TABLE, STRICT])
def test_contradictory_or_unavailable_choice_is_refused(
    name: str | None, wanted: str | None, type_default: str | None, says: str, table: Table
) -> None:
    refusal = choose(Request(name, wanted, type_default), table)
    assert isinstance(refusal, Refusal), refusal
    assert says in refusal.why


@pytest.mark.parametrize(("name", "wanted", "type_default", "backend", "rule"), CHOSEN)
def test_refusing_what_nothing_claims_changes_nothing_else(
    name: str | None, wanted: str | None, type_default: str | None, backend: str, rule: Rule
) -> None:
    answer = choose(Request(name, wanted, type_default), STRICT)
    if rule is PRIMARY:
        assert isinstance(answer, Refusal)
        assert "begin its name with one of Swift, ceph, ceph_east" in answer.why
    else:
        assert isinstance(answer, Choice)
        assert answer.backend == backend


def test_only_what_the_user_said_is_explicit() -> None:
    assert [rule for rule in Rule if rule.explicit] == [PREFIX, PROPERTY]


def test_choosing_needs_no_cinder() -> None:
    program = (
        "import sys, backup_dispatch.rules;"
        "sys.exit(any(name.split('.')[0] in ('cinder', 'oslo_config') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
