# SPDX-License-Identifier: Apache-2.0
"""The container that a chunked driver writes to: already there, or created and removed."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from backup_dispatch.drivers.folders import folder_of

NOT_FOUND = 404


class StoreContainer:
    """One container of a driver: a folder, a Swift container, a bucket.

    One that already existed is never removed; of those created here, a store refuses to remove one
    that is not empty.

    :param driver: one of Cinder's chunked drivers.
    """

    def __init__(self, driver: Any, name: str) -> None:
        self.name = name
        self._driver = driver
        self._kind = type(driver).__module__.rpartition(".")[2]
        self._folder = folder_of(driver)
        self._made = False
        self._first_made = ""

    def make(self) -> None:
        """Create it as the driver does, if it does not exist.

        :raises Exception: whatever the driver or its client raises.
        """
        there = self.is_there()
        if self._folder:
            self._first_made = _first_absent(self._path)
        self._made = not there
        self._driver.put_container(self.name)

    def is_there(self) -> bool:
        """Whether it exists; assumed if there is no way to ask."""
        if self._folder:
            return os.path.isdir(self._path)
        if self._kind == "gcs":
            buckets = self._driver.conn.buckets()
            project = self._driver.gcs_project_id
            asked = buckets.list(project=project, prefix=self.name, fields="items(name)")
            return any(one["name"] == self.name for one in asked.execute().get("items", []))
        try:
            if self._kind == "swift":
                self._driver.conn.head_container(self.name)
            elif self._kind == "s3":
                self._driver.conn.head_bucket(Bucket=self.name)
        except Exception as error:
            if _status(error) == NOT_FOUND:
                return False
            raise
        return True

    def remove_if_made(self) -> None:
        """Remove it if it was created here.

        :raises Exception: whatever the driver's client raises.
        """
        if not self._made:
            return
        if self._folder:
            self._remove_folders()
        elif self._kind == "swift":
            self._driver.conn.delete_container(self.name)
        elif self._kind == "s3":
            self._driver.conn.delete_bucket(Bucket=self.name)
        elif self._kind == "gcs":
            self._driver.conn.buckets().delete(bucket=self.name).execute()
        self._made = False

    @property
    def _path(self) -> str:
        return os.path.join(self._folder or "", self.name)

    def _remove_folders(self) -> None:
        """Remove it, and the parent folders created with it, unless others use them."""
        path = self._path
        os.rmdir(path)
        with suppress(OSError):
            while path != self._first_made:
                path = os.path.dirname(path)
                os.rmdir(path)


def _first_absent(path: str) -> str:
    """The uppermost part of the path that does not exist."""
    while not os.path.lexists(os.path.dirname(path)):
        path = os.path.dirname(path)
    return path


def _status(error: Exception) -> int | None:
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        code = answer.get("Error", {}).get("Code")
        return NOT_FOUND if code in ("404", "NoSuchBucket") else None
    return getattr(error, "http_status", None)
