# SPDX-License-Identifier: Apache-2.0
"""What ``backup.service`` says, and which texts Cinder's manager lets through to the dispatcher.

The owner of a backup is recorded as vanilla Cinder would record it, by the driver's class path, so
that the dispatcher can be switched on and off over existing backups. Only further backends of the
same class append ``@name``.
"""

from __future__ import annotations

from cinder.backup import manager

from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.errors import OwnerUnresolved, listed

DISPATCHER = "backup_dispatch.driver.BackupDispatcher"
"""What Cinder writes before a backend has been chosen, and after an import."""

_MARK = "@"


def is_unresolved(service: str | None) -> bool:
    """Whether the record says nothing of the backend behind the dispatcher."""
    return not service or DISPATCHER.startswith(service)


def recorded_owner(backup_id: str, service: str, enabled: Backends) -> Backend:
    """The backend that the text names.

    :raises OwnerUnresolved: no enabled backend is meant.
    """
    path, _, name = service.partition(_MARK)
    path = _renamed(path)
    if name:
        backend = enabled.named(name)
        if backend is not None and backend.class_path == path:
            return backend
    else:
        for backend in enabled.enabled:
            # Old releases recorded the module and not the class.
            module = backend.driver_class.__module__
            if backend.adopts and path in (backend.class_path, module):
                return backend
    raise OwnerUnresolved(
        f"Backup {backup_id} is held by {service}, which is no enabled backend; enabled are "
        f"{listed(enabled.names)}. Enable that one."
    )


def _renamed(path: str) -> str:
    """Today's path of a driver that Cinder has renamed."""
    return str(_renamed_by_cinder().get(path, path))


def _renamed_by_cinder() -> dict[str, str]:
    return {old: new for old, new in manager.MAPPING.items() if new != DISPATCHER}


def let_through(enabled: Backends) -> None:
    """Make Cinder's manager accept the records of these backends as the dispatcher's.

    The manager asks of each entry of its table of renamed drivers whether the *key starts with* the
    record's text and the value is its own driver. The keys have the form ``CLASS@NAME``, for the
    first backend of a class too: a key that equals a class path would turn every vanilla manager of
    this process into the dispatcher, for the same table translates ``backup_driver``.
    """
    mine = [key for key, value in manager.MAPPING.items() if value == DISPATCHER]
    for key in mine:
        del manager.MAPPING[key]
    old_names = _renamed_by_cinder()
    for backend in enabled.enabled:
        paths = [backend.class_path]
        paths += [old for old, new in old_names.items() if new == backend.class_path]
        for path in paths:
            manager.MAPPING[f"{path}{_MARK}{backend.name}"] = DISPATCHER
