# SPDX-License-Identifier: Apache-2.0
"""Owner texts, and what Cinder's manager makes of them."""

from __future__ import annotations

import pytest
from cinder import objects

objects.register_all()

from cinder.backup import manager  # noqa: E402 - after Cinder's objects
from cinder.backup.drivers.ceph import CephBackupDriver  # noqa: E402
from cinder.backup.drivers.posix import PosixBackupDriver  # noqa: E402
from cinder.backup.drivers.swift import SwiftBackupDriver  # noqa: E402

from backup_dispatch import records  # noqa: E402
from backup_dispatch.backends.configured import Backends, with_owners  # noqa: E402
from backup_dispatch.backends.sections import Configured  # noqa: E402
from backup_dispatch.errors import OwnerUnresolved  # noqa: E402

pytestmark = pytest.mark.release

CEPH = "cinder.backup.drivers.ceph.CephBackupDriver"
POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
SWIFT = "cinder.backup.drivers.swift.SwiftBackupDriver"

THREE = tuple(
    with_owners(
        [
            ("posix", Configured(PosixBackupDriver)),
            ("east", Configured(CephBackupDriver)),
            ("w", Configured(CephBackupDriver)),
        ]
    )
)
ENABLED = Backends(THREE, THREE[0], frozenset())


class RecordOnly(manager.BackupManager):
    """Cinder's manager as far as it decides whose a record is."""

    def __init__(self, driver_name: str) -> None:
        self.driver_name = driver_name


@pytest.fixture(autouse=True)
def _mapping_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "MAPPING", dict(manager.MAPPING))


@pytest.mark.parametrize(
    ("service", "name"),
    [
        (POSIX, "posix"),
        ("cinder.backup.drivers.posix", "posix"),
        (f"{POSIX}@posix", "posix"),
        (CEPH, "east"),
        ("cinder.backup.drivers.ceph", "east"),
        (f"{CEPH}@east", "east"),
        (f"{CEPH}@w", "w"),
        (f"{CEPH}@W", "w"),
    ],
)
def test_a_text_names_one_backend(service: str, name: str) -> None:
    assert records.recorded_owner("b1", service, ENABLED).name == name


@pytest.mark.parametrize(
    "service", [SWIFT, f"{CEPH}@gone", f"{POSIX}@east", "cinder", "x", f"{CEPH}2"]
)
def test_a_text_that_names_none_is_an_error_that_says_so(service: str) -> None:
    with pytest.raises(OwnerUnresolved, match=f"Backup b1 is held by {service}.*east, posix, w"):
        records.recorded_owner("b1", service, ENABLED)


@pytest.mark.parametrize(
    ("service", "unresolved"),
    [
        (None, True),
        ("", True),
        ("backup_dispatch.driver.BackupDispatcher", True),
        ("backup_dispatch.driver", True),
        (POSIX, False),
        (f"{CEPH}@w", False),
    ],
)
def test_the_dispatchers_own_name_is_no_owner(service: str | None, unresolved: bool) -> None:
    assert records.is_unresolved(service) is unresolved


def test_the_manager_lets_the_records_of_enabled_classes_through_and_no_others() -> None:
    records.let_through(ENABLED)
    dispatching = RecordOnly(records.DISPATCHER)
    for service in (
        POSIX,
        "cinder.backup.drivers.posix",
        CEPH,
        f"{CEPH}@w",
        f"{CEPH}@east",
        # As another cloud calls it.
        f"{CEPH}@north",
        f"{POSIX}@cold.2",
        records.DISPATCHER,
    ):
        assert dispatching._is_our_backup(service), service
    for service in (SWIFT, "cinder.backup.drivers.swift", f"{SWIFT}@swift", f"{CEPH}2@east", "@w"):
        assert not dispatching._is_our_backup(service), service


def test_the_table_of_renamed_drivers_is_replaced_and_never_changed() -> None:
    before = manager.MAPPING
    held = dict(before)
    records.let_through(ENABLED)
    assert manager.MAPPING is not before
    assert before == held
    assert manager.MAPPING.items() >= held.items()


def test_the_table_of_renamed_drivers_is_left_alone_when_nothing_is_missing() -> None:
    records.let_through(ENABLED)
    table = manager.MAPPING
    records.let_through(ENABLED)
    assert manager.MAPPING is table


def test_what_another_configuration_lets_through_stays_and_is_refused_by_name() -> None:
    records.let_through(ENABLED)
    enabled = tuple(with_owners([("swift", Configured(SwiftBackupDriver))]))
    swift = Backends(enabled, enabled[0], frozenset())
    records.let_through(swift)
    dispatching = RecordOnly(records.DISPATCHER)
    assert dispatching._is_our_backup(SWIFT)
    assert dispatching._is_our_backup(f"{CEPH}@w")
    with pytest.raises(OwnerUnresolved, match="no enabled backend"):
        records.recorded_owner("b1", f"{CEPH}@w", swift)


def test_a_driver_that_cinder_renamed_is_known_by_its_old_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(manager.MAPPING, "cinder.backup.drivers.rados.Rados", CEPH)
    records.let_through(ENABLED)
    dispatching = RecordOnly(records.DISPATCHER)
    assert dispatching._is_our_backup("cinder.backup.drivers.rados.Rados")
    assert dispatching._is_our_backup("cinder.backup.drivers.rados.Rados@east")
    owner = records.recorded_owner("b1", "cinder.backup.drivers.rados.Rados", ENABLED)
    assert owner.name == "east"


def test_no_key_is_a_class_path() -> None:
    before = set(manager.MAPPING)
    records.let_through(ENABLED)
    added = set(manager.MAPPING) - before
    assert added == {f"{POSIX}@", f"{CEPH}@", f"{records.DISPATCHER}@"}
    vanilla = RecordOnly(CEPH)
    assert vanilla._is_our_backup(CEPH)
    assert not vanilla._is_our_backup(POSIX)
    assert not vanilla._is_our_backup(f"{CEPH}@w")


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("cinder.backup.drivers.tape.TapeBackupDriver", "tape"),
        ("cinder.backup.drivers.tape", "tape"),
        (f"{POSIX}@east", "east"),
        ("cinder.backup.drivers.tape.TapeBackupDriver@west", "west"),
        (POSIX, None),
        ("cinder.backup.drivers.posix", None),
        ("backup_dispatch.driver.BackupDispatcher", None),
        ("backup_dispatch", None),
        ("", None),
        ("Lonely", None),
        ("..", None),
    ],
)
def test_backend_that_is_enabled_no_more_leaves_its_name(service: str, name: str | None) -> None:
    posix = Backends(THREE[:1], THREE[0], frozenset())
    expected = {name} if name else set()
    assert records.former_names([service, POSIX], posix) == expected
