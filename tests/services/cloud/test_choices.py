# SPDX-License-Identifier: Apache-2.0
"""How a user chooses a backup's backend, and what the user sees when it is refused."""

from __future__ import annotations

import pytest

from tests.services.stack.cloud import Cloud
from tests.services.stack.people import ADMIN
from tests.services.stack.project import MIB, Project

SWIFT = "cinder.backup.drivers.swift.SwiftBackupDriver"
S3 = "cinder.backup.drivers.s3.S3BackupDriver"
DATERA = "datera_backup.driver.DateraBackupDriver"


@pytest.fixture(scope="module")
def type_with_backend(cloud: Cloud) -> str:
    """A volume type whose volumes' backups go to S3."""
    admin, name = cloud.client(ADMIN), "array-to-s3"
    specs = ("volume_backend_name=array", "backup:backend=s3")
    options = [word for spec in specs for word in ("--property", spec)]
    admin("volume", "type", "create", name, *options)
    return name


@pytest.fixture
def volume(alice: Project) -> str:
    return alice.volume("array", (0, 2 * MIB, 31), (800 * MIB, MIB, 32))


def test_a_volume_in_use_is_backed_up_with_force(alice: Project, volume: str) -> None:
    digest = alice.digest(volume)
    with alice.in_use(volume):
        for name, owner in (("datera_hot", DATERA), ("s3_hot", S3)):
            record = alice.backup(volume, name, "--force")
            assert record["service"] == owner
            alice.await_volume(volume, "in-use")
            assert alice.digest(alice.restore(record["id"])) == digest
            alice.delete_backups(record["id"])
    assert not alice.temporaries(), "Cinder's temporary volumes and snapshots"


def test_a_snapshot_is_backed_up_as_it_was(alice: Project, volume: str) -> None:
    digest = alice.digest(volume)
    snapshot = alice.snapshot(volume)
    alice.write(volume, (100 * MIB, MIB, 33))
    for name in ("datera_then", "swift_then"):
        record = alice.backup(volume, name, "--snapshot", snapshot)
        assert alice.digest(alice.restore(record["id"])) == digest
        alice.delete_backups(record["id"])
    alice.do("volume", "snapshot", "delete", snapshot)


def test_a_volume_types_backend_is_taken(alice: Project, type_with_backend: str) -> None:
    volume = alice.volume(type_with_backend, (0, MIB, 34))
    record = alice.backup(volume, "nightly")
    assert record["service"] == S3
    shown = alice.do("volume", "backup", "show", record["id"])
    assert "s3" in str(shown.get("properties", shown.get("metadata"))), shown
    alice.delete_backups(record["id"])


def test_a_property_wins_over_the_volume_type(alice: Project, type_with_backend: str) -> None:
    volume = alice.volume(type_with_backend, (0, MIB, 35))
    record = alice.backup(volume, "nightly", "--property", "backup_backend=swift")
    assert record["service"] == SWIFT
    alice.delete_backups(record["id"])


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("gcs_nightly", (), "gcs"),
        ("swift_nightly", ("--property", "backup_backend=s3"), "s3"),
        ("nightly", ("--property", "backup_backend=gone"), "gone"),
        ("ceph_nightly", ("--incremental",), "full"),
    ],
)
def test_what_is_refused_says_why_and_can_be_deleted(
    name: str, options: tuple[str, ...], reason: str, alice: Project
) -> None:
    volume = alice.volume("array")
    # An incremental needs a full backup somewhere, else the API itself refuses it.
    full = alice.backup(volume, "datera_full")["id"] if "--incremental" in options else None
    record = alice.backup(volume, name, *options, status="error")
    shown = alice.do("volume", "backup", "show", record["id"])
    assert shown["status"] == "error"
    assert reason in shown["fail_reason"], shown
    alice.await_volume(volume, "available")
    alice.delete_backups(record["id"])
    if full:
        alice.delete_backups(full)
