# SPDX-License-Identifier: Apache-2.0
"""What operators do wrong with Cinder's own drivers and what those need."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backup_dispatch.process import this_process
from tests.fixtures.backends.ceph_stand_in import Cluster, Pool
from tests.fixtures.backends.s3_service import of_swift
from tests.fixtures.mistakes import (
    CLOSED,
    Mistake,
    Place,
    assert_one_line_each,
    only,
)


def swift(**changed: str) -> Callable[[Place], str]:
    """A Swift backend with some options changed."""

    def lines(place: Place) -> str:
        service = place.fixture("swift")
        given = {k: v.format(port=service.port) for k, v in changed.items()}
        more = [f"backup_swift_{k} = {v}" for k, v in given.items()]
        return only("swift", service.cinder_options(), *more)

    return lines


def s3(**changed: str) -> Callable[[Place], str]:
    """An S3 backend on Swift, which minds who asks, with some options changed."""

    def lines(place: Place) -> str:
        service = place.fixture("swift")
        given = {k: v.format(port=service.port) for k, v in changed.items()}
        more = [f"backup_s3_{k} = {v}" for k, v in given.items()]
        return only("s3", of_swift(service).cinder_options(), *more)

    return lines


def missing(driver: str, *names: str) -> Callable[[Place], None]:
    """What Cinder's driver does with a package that cannot be imported: it goes on with None."""

    def take_away(place: Place) -> None:
        for name in names:
            place.patch.setattr(f"cinder.backup.drivers.{driver}.{name}", None)

    return take_away


def room(**values: int) -> Callable[[Place], None]:
    """A file system with these figures."""

    def patch(place: Place) -> None:
        real = os.statvfs(place.folder)
        figures = {name: getattr(real, name) for name in dir(real) if name.startswith("f_")}
        found = SimpleNamespace(**{**figures, "f_frsize": 2**20, "f_bavail": 2**20, **values})
        place.patch.setattr("backup_dispatch.examination.folder._Disk.statvfs", lambda *_: found)

    return patch


def not_writable(place: Place) -> None:
    place.patch.setattr("backup_dispatch.examination.folder._Disk.writable", lambda *_: False)


def file_at(name: str) -> Callable[[Place], object]:
    return lambda place: (place.folder / name).touch()


def ceph(cluster: Cluster) -> Callable[[Place], None]:
    """These pools for Cinder's Ceph driver, and a configuration to find them by."""

    def patch(place: Place) -> None:
        (place.folder / "ceph.conf").touch()
        for name in ("rados", "rbd"):
            place.patch.setattr(f"cinder.backup.drivers.ceph.{name}", cluster)

    return patch


MISTAKES = (
    # Folders and shares
    Mistake(
        "a folder that cannot be made",
        only("posix", "backup_posix_path = {folder}/file/backups"),
        ("[DEFAULT] backup_posix_path", "does not exist", "install -d -o cinder"),
        before=file_at("file"),
    ),
    Mistake(
        "a folder that is not there yet",
        only("posix", "backup_posix_path = {folder}/new"),
        ("[DEFAULT] backup_posix_path", "does not exist", "Mount what belongs there"),
        code=0,
    ),
    Mistake(
        "a folder that is a file",
        only("posix", "backup_posix_path = {folder}/file"),
        ("[DEFAULT] backup_posix_path", "is not a folder", "Name the folder"),
        before=file_at("file"),
    ),
    Mistake(
        "a folder of another user",
        only("posix"),
        ("may not write to", "[DEFAULT] backup_posix_path", "chown cinder"),
        before=not_writable,
    ),
    Mistake(
        "a disk that is full",
        only("posix"),
        ("is full", "[DEFAULT] backup_posix_path", "Delete backups, or make it larger"),
        before=room(f_bavail=0),
    ),
    Mistake(
        "a disk without inodes",
        only("posix"),
        ("has no inode left", "[DEFAULT] backup_posix_path", "Delete backups, or make it larger"),
        before=room(f_files=9, f_favail=0),
    ),
    Mistake(
        "a disk that is nearly full",
        only("posix"),
        ("nearly full", "[DEFAULT] backup_posix_path", "Delete backups, or make it larger"),
        code=0,
        before=room(f_bavail=20),
    ),
    Mistake(
        "a file system that is read-only",
        only("posix"),
        ("is read-only", "[DEFAULT] backup_posix_path", "Mount it for writing"),
        before=room(f_flag=os.ST_RDONLY),
    ),
    Mistake(
        "a share that is not named",
        only("nfs"),
        ("[DEFAULT] backup_share is not set", "Set it"),
    ),
    Mistake(
        "a share without a host",
        only("nfs", "backup_share = /backups"),
        ("[DEFAULT] backup_share = /backups is no share", "Write HOST:/PATH"),
    ),
    Mistake(
        "a share whose host is empty",
        only("nfs", "backup_share = :/backups"),
        ("[DEFAULT] backup_share = :/backups is no share", "Write HOST:/PATH"),
    ),
    # Swift
    Mistake(
        "Swift's wrong key",
        swift(key="wrong"),
        ("refuses to log in", "Correct [DEFAULT] backup_swift_user and backup_swift_key"),
    ),
    Mistake(
        "Swift's port",
        swift(auth_url=f"http://127.0.0.1:{CLOSED}/auth/v1.0"),
        ("backup_swift_auth_url = http://127.0.0.1:1/", "does not answer", "Correct the address"),
    ),
    Mistake(
        "TLS to a Swift that speaks none",
        swift(auth_url="https://127.0.0.1:{port}/auth/v1.0"),
        ("backup_swift_auth_url = https:", "speaks no TLS there: write http://"),
    ),
    Mistake(
        "Swift without an address",
        only("swift"),
        ("[DEFAULT] backup_swift_url is not set", "Set backup_swift_url"),
        code=3,
    ),
    Mistake(
        "Swift's address without the accounts' prefix",
        lambda place: only(
            "swift", f"backup_swift_url = http://127.0.0.1:{place.fixture('swift').port}/v1"
        ),
        ("[DEFAULT] backup_swift_url = http:", "project's id is put right behind", "/v1/AUTH_"),
        code=0,
    ),
    Mistake(
        "no swiftclient",
        swift(),
        ("python-swiftclient is not installed", "pip install python-swiftclient"),
        before=missing("swift", "swift"),
    ),
    # S3, GCS
    Mistake(
        "S3 without a key",
        only("s3", "backup_s3_endpoint_url = http://127.0.0.1:1"),
        ("[DEFAULT] backup_s3_store_access_key is not set", "Set it"),
    ),
    Mistake(
        "S3's wrong key",
        s3(store_secret_key="wrong"),
        ("refuses the keys (SignatureDoesNotMatch)", "Correct [DEFAULT] backup_s3_store_access_k"),
    ),
    Mistake(
        "S3's port",
        s3(endpoint_url=f"http://127.0.0.1:{CLOSED}"),
        ("[DEFAULT] backup_s3_endpoint_url = http://127.0.0.1:1 does not answer", "Correct the"),
    ),
    Mistake(
        "TLS to an S3 that speaks none",
        s3(endpoint_url="https://127.0.0.1:{port}"),
        ("backup_s3_endpoint_url = https:", "speaks no TLS there", "Write http://"),
    ),
    Mistake(
        "no boto3",
        s3(),
        ("boto3 is not installed", "pip install boto3"),
        before=missing("s3", "boto3"),
    ),
    Mistake(
        "GCS without credentials",
        only(
            "gcs",
            "backup_gcs_bucket = b",
            "backup_gcs_project_id = p",
            "backup_gcs_credential_file = {folder}/none.json",
        ),
        ("[DEFAULT] backup_gcs_credential_file", "cannot be read", "Name a file"),
        before=lambda _place: pytest.importorskip("google.oauth2"),
    ),
    # Ceph
    Mistake(
        "no rados",
        only("ceph"),
        ("rados and rbd are not installed", "python3-rados, python3-rbd"),
        before=missing("ceph", "rados", "rbd"),
    ),
    Mistake(
        "no ceph.conf",
        only("ceph", "backup_ceph_conf = {folder}/none.conf"),
        ("[DEFAULT] backup_ceph_conf", "does not exist", "Name the cluster's ceph.conf"),
        before=ceph(Cluster()),
    ),
    Mistake(
        "a pool that is misspelt",
        only("ceph", "backup_ceph_conf = {folder}/ceph.conf", "backup_ceph_pool = bakups"),
        ("no pool", "[DEFAULT] backup_ceph_pool = bakups", "ceph osd pool create"),
        before=ceph(Cluster(backups=Pool())),
    ),
)


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Place]:
    yield Place(tmp_path, monkeypatch, request.getfixturevalue)
    this_process().stop_checking()


@pytest.mark.release
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.label)
def test_mistake_is_one_line_of_check_and_one_of_the_log(
    mistake: Mistake, place: Place, start_cinder: Callable[..., Any]
) -> None:
    assert_one_line_each(mistake, place, start_cinder)
