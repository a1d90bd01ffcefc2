# SPDX-License-Identifier: Apache-2.0
"""Asking a backend: yes, no, or nobody knows."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cinder import objects

objects.register_all()

from cinder.backup import chunkeddriver  # noqa: E402 - after Cinder's objects
from cinder.backup.chunkeddriver import ChunkedBackupDriver  # noqa: E402
from cinder.backup.drivers.ceph import CephBackupDriver  # noqa: E402
from cinder.backup.drivers.posix import PosixBackupDriver  # noqa: E402
from cinder.backup.drivers.s3 import S3BackupDriver  # noqa: E402
from cinder.backup.drivers.swift import SwiftBackupDriver  # noqa: E402
from swiftclient import ClientException  # noqa: E402

from backup_dispatch.drivers.custody import holds  # noqa: E402

pytestmark = pytest.mark.release

PREFIX = "volume_1_backup_b1"


def backup(container: str | None = "c", service_metadata: str | None = PREFIX) -> Any:
    return SimpleNamespace(id="b1", container=container, service_metadata=service_metadata)


def without_init(driver_class: Any, **attributes: Any) -> Any:
    """A driver as it is, without the connections that its constructor would open."""
    driver = driver_class.__new__(driver_class)
    vars(driver).update(attributes)
    return driver


def raising(error: Exception) -> Any:
    def call(*_args: Any, **_kwargs: Any) -> None:
        raise error

    return call


def test_a_posix_folder_is_listed(tmp_path: Path) -> None:
    driver = without_init(PosixBackupDriver, backup_path=str(tmp_path))
    (tmp_path / "another's").mkdir()
    assert holds(driver, backup()) is False
    (tmp_path / "c").mkdir()
    assert holds(driver, backup()) is False
    (tmp_path / "c" / f"{PREFIX}-00001").touch()
    assert holds(driver, backup()) is True
    assert holds(driver, backup(service_metadata="volume_1_backup_b2")) is False


def test_a_chunked_driver_of_others_may_keep_folders_too(tmp_path: Path) -> None:
    class Shelves(ChunkedBackupDriver):  # type: ignore[misc, unused-ignore]
        """Not built on Cinder's posix driver."""

        def get_container_entries(self, container: str, _prefix: str) -> list[str]:
            return os.listdir(tmp_path / container)

    (tmp_path / "another's").mkdir()
    setattr(Shelves, "__abstractmethods__", frozenset())  # noqa: B010 - mypy knows no such field
    driver = without_init(Shelves, backup_path=str(tmp_path))
    assert holds(driver, backup()) is False


def test_posix_does_not_have_what_swift_wrote(tmp_path: Path) -> None:
    driver = without_init(PosixBackupDriver, backup_path=str(tmp_path))
    assert holds(driver, backup("volumebackups", "volume_1/20261128/az_nova_backup_b1")) is False


def test_a_folder_that_is_not_there_at_all_says_nothing(tmp_path: Path) -> None:
    driver = without_init(PosixBackupDriver, backup_path=str(tmp_path / "not mounted"))
    assert holds(driver, backup()) is None


def test_an_empty_folder_says_nothing_unless_it_is_a_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = without_init(PosixBackupDriver, backup_path=str(tmp_path))
    assert holds(driver, backup()) is None
    monkeypatch.setattr(os.path, "ismount", lambda folder: folder == str(tmp_path))
    assert holds(driver, backup()) is False


def test_a_chunked_driver_has_written_nothing_without_a_prefix(tmp_path: Path) -> None:
    driver = without_init(PosixBackupDriver, backup_path=str(tmp_path / "not mounted"))
    assert holds(driver, backup(service_metadata=None)) is False
    assert holds(driver, backup(container=None)) is False


@pytest.mark.parametrize(("status", "answer"), [(404, False), (401, None), (500, None), (0, None)])
def test_swift_says_by_its_status(status: int, answer: bool | None) -> None:
    error = ClientException("no", http_status=status)
    driver = without_init(SwiftBackupDriver, get_container_entries=raising(error))
    assert holds(driver, backup()) is answer


class Pages:
    """What boto3's paginator of a listing gives."""

    def __init__(self, *pages: Any) -> None:
        self._pages = pages

    def get_paginator(self, _name: str) -> Pages:
        return self

    def paginate(self, **_arguments: Any) -> Any:
        for page in self._pages:
            if isinstance(page, Exception):
                raise page
            yield page


class ClientError(Exception):
    def __init__(self, code: str) -> None:
        self.response = {"Error": {"Code": code}}


@pytest.mark.parametrize(
    ("pages", "answer"),
    [
        ([{"Contents": [{"Key": PREFIX}]}], True),
        ([{}], False),
        ([ClientError("NoSuchBucket")], False),
        ([ClientError("AccessDenied")], None),
        ([OSError("no route")], None),
    ],
)
def test_s3_says_by_what_its_driver_trips_over(
    pages: list[Any], answer: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinder.backup.drivers import s3

    monkeypatch.setattr(s3, "boto_exc", SimpleNamespace(ClientError=ClientError), raising=False)
    driver = without_init(S3BackupDriver, conn=Pages(*pages))
    assert holds(driver, backup()) is answer


def test_a_driver_may_answer_for_itself() -> None:
    for answer in (True, False, None):
        assert holds(SimpleNamespace(holds=lambda _backup, a=answer: a), backup()) is answer
    assert holds(SimpleNamespace(holds=raising(OSError("no route"))), backup()) is None


def test_a_driver_of_cinder_has_nothing_before_it_saved_a_container() -> None:
    assert holds(without_init(CephBackupDriver), backup(container=None)) is False


def test_unknown_driver_without_holds_is_not_known_to_hold() -> None:
    assert not isinstance(SimpleNamespace(), chunkeddriver.ChunkedBackupDriver)
    assert holds(SimpleNamespace(), backup(container=None)) is None
