# SPDX-License-Identifier: Apache-2.0
"""What can be determined from the listings of Cinder's chunked drivers."""

from __future__ import annotations

import errno
import os
from typing import Any

from backup_dispatch.drivers.families import is_chunked, keeps_folders
from backup_dispatch.drivers.folders import folder_of, is_inside
from backup_dispatch.errors import ContainerRefused, FolderEmpty

HTTP_NOT_FOUND = 404


class ChunkedAdapter:
    """An adapter that offers capabilities for one of Cinder's chunked drivers.

    :param driver: an object of it, or its class for :meth:`may_hold` alone.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    @property
    def container(self) -> str | None:
        """The container of backups for which the user specified none.

        None where each backup has a folder of its own.
        """
        if keeps_folders(self._driver):
            return None
        container: str | None = self._driver.backup_default_container
        return container

    @staticmethod
    def may_hold(backup: Any) -> bool:
        """Whether the record names a container, and the prefix of the objects in it.

        The drivers save both before they write the first byte.
        """
        return bool(backup.container and backup.service_metadata)

    def holds(self, backup: Any) -> bool:
        """Whether the container has objects whose names begin as the record says.

        :raises Exception: whatever the driver raises, unless that means that there are none.
        """
        if keeps_folders(self._driver) and "/" in backup.service_metadata:
            # The format of Swift's and S3's drivers; no file has such a name.
            return False
        if keeps_folders(self._driver) and not is_inside(backup):
            raise ContainerRefused(f"{backup.container!r} is outside the backend's folder.")
        try:
            entries = self._driver.get_container_entries(backup.container, backup.service_metadata)
        except Exception as error:
            if _says_missing(self._driver, error):
                return False
            raise
        return bool(entries)

    def volume_metadata(self, backup: Any) -> str | None:
        """What the backup's own metadata has of its volume.

        :raises Exception: whatever the driver raises.
        """
        stored: str | None = self._driver._read_metadata(backup).get("volume_meta")
        return stored

    def stored_size(self, backup: Any) -> int | None:
        """Bytes of the backup's objects; None if the driver lists no sizes.

        :raises Exception: whatever the driver's client raises.
        """
        driver = self._driver
        if not self.may_hold(backup):
            return None
        folder = folder_of(driver)
        if folder:
            return _size_of_files(driver, backup, folder)
        if type(driver).__module__ == "cinder.backup.drivers.swift":
            _, listing = driver.conn.get_container(
                backup.container, prefix=backup.service_metadata, full_listing=True
            )
            return sum(int(entry["bytes"]) for entry in listing)
        if type(driver).__module__ == "cinder.backup.drivers.s3":
            pages = driver.conn.get_paginator("list_objects_v2").paginate(
                Bucket=backup.container, Prefix=backup.service_metadata
            )
            return sum(int(entry["Size"]) for page in pages for entry in page.get("Contents", ()))
        return None


def delete(driver: Any, backup: Any) -> Any:
    """Let a driver delete a backup; a chunked one must have listed its objects for that.

    Cinder's take a listing that fails for an empty one: they log a warning, delete nothing and
    return. Cinder then deletes the record, and nothing names the objects any more.

    :param driver: any driver's object.
    :returns: what the driver returns.
    :raises Exception: whatever the driver raises, or raised when it listed the objects, unless that
        means that there are none.
    """
    if not is_chunked(driver):
        return driver.delete_backup(backup)
    listed = driver.get_container_entries
    failures: list[Exception] = []

    def listing(*arguments: Any, **named: Any) -> Any:
        try:
            return listed(*arguments, **named)
        except Exception as error:
            failures.append(error)
            raise

    driver.get_container_entries = listing
    try:
        result = driver.delete_backup(backup)
    finally:
        driver.get_container_entries = listed
    for error in failures:
        if not _says_missing(driver, error):
            raise error
    return result


def _size_of_files(driver: Any, backup: Any, folder: str) -> int:
    names = driver.get_container_entries(backup.container, backup.service_metadata)
    return sum(os.path.getsize(os.path.join(folder, backup.container, name)) for name in names)


def _says_missing(driver: Any, error: BaseException | None) -> bool:
    """Whether the error of a listing means that the container, or everything in it, is absent.

    Each of Cinder's drivers has its own error for this; S3's wraps it in an exception of its own.
    """
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return _has_a_store(folder_of(driver) or "")
    if HTTP_NOT_FOUND in (
        getattr(error, "http_status", None),
        getattr(getattr(error, "resp", None), "status", None),
    ):
        return True
    return type(driver).__module__ == "cinder.backup.drivers.s3" and _s3_says_missing(error)


def _has_a_store(folder: str) -> bool:
    """Whether the backend's folder exists, so that what is missing in it is really absent.

    :raises FolderEmpty: it is empty, as if a share is not mounted.
    """
    if not os.path.isdir(folder):
        return False
    if os.path.ismount(folder):
        return True
    with os.scandir(folder) as entries:
        if next(entries, None) is None:
            raise FolderEmpty(
                f"its folder {folder} is empty, as where a share is not mounted: mount it, or, if "
                "nothing belongs there, put any file into it"
            )
    return True


def _s3_says_missing(error: BaseException | None) -> bool:
    """Unwrap the error of Cinder's S3 driver: its listing fails on a page without contents."""
    cause = error.__context__ if error is not None else None
    if isinstance(cause, TypeError):
        return True
    answer = getattr(cause, "response", None)
    return isinstance(answer, dict) and answer.get("Error", {}).get("Code") == "NoSuchBucket"
