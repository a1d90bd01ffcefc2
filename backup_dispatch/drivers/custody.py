# SPDX-License-Identifier: Apache-2.0
"""Asking a backend whether it holds the data of a backup.

A driver may answer for itself with a method ``holds(backup) -> True | False | None``. For Cinder's
own drivers, which have none, the answer is read from what their drivers can list. None means that
nobody knows: the backend did not answer, or there is no way to ask it. Missing and unreachable are
never the same answer: on a False a record may be deleted.
"""

from __future__ import annotations

import errno
import logging
import os
from typing import Any

from backup_dispatch.drivers.ceph import is_ceph, pool_has
from backup_dispatch.drivers.folders import is_inside, keeps_folders
from backup_dispatch.errors import ContainerRefused, FolderEmpty, reason_of

LOG = logging.getLogger(__name__)

HTTP_NOT_FOUND = 404
CHUNKED_DRIVER = "cinder.backup.chunkeddriver.ChunkedBackupDriver"


def cannot_hold(driver_class: type[Any], backup: Any) -> bool:
    """Whether the record alone proves that a backend of this class has nothing of the backup.

    Nobody is asked, so that it can be told of a backend that is down. A driver may answer for
    itself with a static method ``may_hold(backup)``: whether the record could be one of its own.
    """
    own = getattr(driver_class, "may_hold", None)
    if own is not None:
        return not own(backup)
    if hasattr(driver_class, "holds") or not _of_cinder(driver_class):
        return False
    # Each of Cinder's drivers saves the container's name before it writes the first byte, the
    # chunked ones the prefix of their objects too.
    return not backup.container or (is_chunked(driver_class) and not backup.service_metadata)


def is_configured_for(driver: Any, backup: Any) -> bool | None:
    """Whether the backup is where this backend puts what no user has named a container for.

    :returns: None where the driver has no such place, or none is known.
    """
    if keeps_folders(driver):
        # There every backup has a folder of its own.
        return None
    for name in ("backup_default_container", "_ceph_backup_pool"):
        place = getattr(driver, name, None)
        if place:
            return bool(place == backup.container)
    return None


def holds(driver: Any, backup: Any) -> bool | None:
    """Whether the backend behind this driver object has the backup's data.

    :returns: True or False if it is certain, else None.
    """
    try:
        return asked(driver, backup)
    except Exception as error:
        LOG.warning(
            "%s could not be asked for backup %s: %s",
            type(driver).__name__,
            backup.id,
            reason_of(error),
        )
        return None


def asked(driver: Any, backup: Any) -> bool | None:
    """Whether the backend has the backup's data; as :func:`holds`, for who wants to tell why not.

    :returns: None if the driver has no way to tell, or does not know.
    :raises Exception: whatever the driver raised.
    """
    own = getattr(driver, "holds", None)
    if own is not None:
        answer = own(backup)
        return None if answer is None else bool(answer)
    if cannot_hold(type(driver), backup):
        return False
    if is_chunked(driver):
        return _container_lists(driver, backup)
    if is_ceph(driver):
        return pool_has(driver, backup)
    return None


def is_chunked(driver: Any) -> bool:
    """Whether the driver, an object or a class, is one of Cinder's chunked ones."""
    # By name: a backend with a section of its own has copies of the driver's classes.
    return any(f"{base.__module__}.{base.__qualname__}" == CHUNKED_DRIVER for base in _mro(driver))


def _of_cinder(driver: Any) -> bool:
    return any(base.__module__.startswith("cinder.backup.drivers.") for base in _mro(driver))


def _mro(driver: Any) -> tuple[type[Any], ...]:
    return (driver if isinstance(driver, type) else type(driver)).__mro__


def _container_lists(driver: Any, backup: Any) -> bool:
    """Whether the container has objects whose names begin as the record says."""
    if keeps_folders(driver) and "/" in backup.service_metadata:
        # As Swift's and S3's drivers write it; no file has such a name.
        return False
    if keeps_folders(driver) and not is_inside(backup):
        raise ContainerRefused(f"{backup.container!r} is outside the backend's folder.")
    try:
        entries = driver.get_container_entries(backup.container, backup.service_metadata)
    except Exception as error:
        if _says_missing(driver, error):
            return False
        raise
    return bool(entries)


def _says_missing(driver: Any, error: BaseException | None) -> bool:
    """Whether the error of a listing means that the container, or everything in it, is absent.

    Each of Cinder's drivers has its own way to say so; S3's wraps it in an exception of its own.
    """
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return _has_a_store(getattr(driver, "backup_path", None) or "")
    if HTTP_NOT_FOUND in (
        getattr(error, "http_status", None),
        getattr(getattr(error, "resp", None), "status", None),
    ):
        return True
    return type(driver).__module__ == "cinder.backup.drivers.s3" and _s3_says_missing(error)


def _has_a_store(folder: str) -> bool:
    """Whether the backend's folder is there, so that what is missing in it is absent.

    :raises FolderEmpty: nothing at all is in it, as where a share is not mounted.
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
    """Read what Cinder's S3 driver wrapped: its listing trips over a page without contents."""
    cause = error.__context__ if error is not None else None
    if isinstance(cause, TypeError):
        return True
    answer = getattr(cause, "response", None)
    return isinstance(answer, dict) and answer.get("Error", {}).get("Code") == "NoSuchBucket"
