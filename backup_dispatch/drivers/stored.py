# SPDX-License-Identifier: Apache-2.0
"""How many bytes a backend stores for a backup.

A driver may say so itself with a method ``stored_size(backup) -> int | None``. Of Cinder's own
drivers those can be asked that list their objects with sizes, or keep them as files.
"""

from __future__ import annotations

import os
from typing import Any

from backup_dispatch.drivers.custody import is_chunked


def stored_size(driver: Any, backup: Any) -> int | None:
    """The bytes that are stored for this backup alone, without its parents; None if unknown."""
    own = getattr(driver, "stored_size", None)
    if own is not None:
        told = own(backup)
        return None if told is None else int(told)
    if not is_chunked(driver) or not backup.container or not backup.service_metadata:
        return None
    folder = getattr(driver, "backup_path", None)
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


def _size_of_files(driver: Any, backup: Any, folder: str) -> int:
    names = driver.get_container_entries(backup.container, backup.service_metadata)
    return sum(os.path.getsize(os.path.join(folder, backup.container, name)) for name in names)
