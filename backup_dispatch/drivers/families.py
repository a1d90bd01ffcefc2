# SPDX-License-Identifier: Apache-2.0
"""Which of Cinder's own drivers a driver is, or is derived from.

By name and not by class: a backend with its own section has copies of its driver's classes.
Each function takes a driver object or its class.
"""

from __future__ import annotations

from typing import Any

CEPH_DRIVER = "cinder.backup.drivers.ceph.CephBackupDriver"
CHUNKED_DRIVER = "cinder.backup.chunkeddriver.ChunkedBackupDriver"
FOLDER_DRIVER = "cinder.backup.drivers.posix.PosixBackupDriver"


def is_ceph(driver: Any) -> bool:
    """Whether it is Cinder's Ceph driver or derived from it."""
    return CEPH_DRIVER in _paths(driver)


def is_chunked(driver: Any) -> bool:
    """Whether it is one of Cinder's chunked drivers or of the same kind."""
    return CHUNKED_DRIVER in _paths(driver)


def keeps_folders(driver: Any) -> bool:
    """Whether its containers are folders: Cinder's posix, nfs and glusterfs drivers."""
    return FOLDER_DRIVER in _paths(driver)


def is_cinders(driver: Any) -> bool:
    """Whether it is one of the drivers that Cinder ships, or derived from one."""
    return any(path.startswith("cinder.backup.drivers.") for path in _paths(driver))


def _paths(driver: Any) -> list[str]:
    driver_class = driver if isinstance(driver, type) else type(driver)
    return [f"{base.__module__}.{base.__qualname__}" for base in driver_class.__mro__]
