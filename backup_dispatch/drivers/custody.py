# SPDX-License-Identifier: Apache-2.0
"""Asking a backend whether it holds the data of a backup, and how much of it.

A driver may answer for itself; for Cinder's own drivers the answer is determined from their
listings. None means not known: the backend did not answer, or there is no way to ask it. Missing
and unreachable are never the same answer: on a False a record may be deleted.
"""

from __future__ import annotations

from typing import Any

from oslo_log import log as logging

from backup_dispatch.drivers.families import is_cinders
from backup_dispatch.drivers.interface import SupportsHolds, SupportsMayHold, SupportsStoredSize
from backup_dispatch.drivers.offers import adapter_of, offered, offers
from backup_dispatch.errors import reason_of

LOG = logging.getLogger(__name__)


def cannot_hold(driver_class: type[Any], backup: Any) -> bool:
    """Whether the record alone proves that a backend of this class has nothing of the backup.

    The backend is not asked, so this works while it is down. A driver may answer for
    itself with a static method ``may_hold(backup)``: whether the record could be one of its own.
    """
    teller: Any = offered(driver_class, SupportsMayHold)
    if teller is None:
        return False
    if teller is not driver_class and not keeps_as_cinder(driver_class):
        return False
    return not teller.may_hold(backup)


def keeps_as_cinder(driver_class: type[Any]) -> bool:
    """Whether a backup's place stands in its record as Cinder's own drivers write it."""
    # A driver with a method holds() may store backups differently from its base class.
    return is_cinders(driver_class) and not offers(driver_class, SupportsHolds)


def is_configured_for(driver: Any, backup: Any) -> bool | None:
    """Whether the backup is in this backend's default container.

    :returns: None if the driver has none, or it is not known.
    """
    adapter = adapter_of(driver)
    place = adapter.container if adapter else getattr(driver, "backup_default_container", None)
    return place == backup.container if place else None


def holds(driver: Any, backup: Any) -> bool | None:
    """Whether the backend of this driver object has the backup's data.

    :returns: True or False if that is certain, else None.
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
    """Whether the backend has the backup's data; like :func:`holds`, for callers that need errors.

    :returns: None if the driver cannot determine it, or does not know.
    :raises Exception: whatever the driver raised.
    """
    teller = offered(driver, SupportsHolds)
    if teller is not driver and cannot_hold(type(driver), backup):
        return False
    answer = teller.holds(backup) if teller else None
    return None if answer is None else bool(answer)


def stored_size(driver: Any, backup: Any) -> int | None:
    """The bytes that are stored for this backup alone, without its parents; None if unknown.

    :raises Exception: whatever the driver raised.
    """
    teller = offered(driver, SupportsStoredSize)
    told = teller.stored_size(backup) if teller else None
    return None if told is None else int(told)


def has_nothing(driver: Any, backup: Any) -> bool:
    """Whether the backend says for certain that it has nothing of the backup."""
    try:
        return asked(driver, backup) is False
    except Exception:
        return False  # it does not answer, which proves nothing
