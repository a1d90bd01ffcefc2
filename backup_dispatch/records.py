# SPDX-License-Identifier: Apache-2.0
"""The values of ``backup.service``, and which of them Cinder's manager accepts for the dispatcher.

The owner of a backup is recorded as vanilla Cinder would record it, by the driver's class path, so
that the dispatcher can be enabled and disabled with existing backups. Only further backends of the
same class append ``@name``.

If no backend is named, three texts say what data of the backup exists:

=================  =================================================================================
:data:`DISPATCHER`  none: Cinder writes it first of all, and it is replaced by the backend's before
                    the first byte
:data:`IMPORTED`    data, on a backend that is not known yet
empty               none: no backend was chosen, or the chosen one could not be called
=================  =================================================================================
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from cinder import objects
from cinder.backup import manager
from cinder.objects import fields

from backup_dispatch.backends.configured import PREFIX as _PREFIX
from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.drivers.families import is_chunked
from backup_dispatch.errors import OwnerUnresolved, listed

_MARK = "@"

DISPATCHER = "backup_dispatch.driver.BackupDispatcher"
"""The value that Cinder writes before a backend has been chosen."""

IMPORTED = f"{DISPATCHER}{_MARK}imported"
"""The value after an import, until the owner is found."""


def is_unresolved(service: str | None) -> bool:
    """Whether the record does not name the backend behind the dispatcher."""
    return not service or DISPATCHER.startswith(service) or service == IMPORTED


def was_disowned(backup: Any) -> bool:
    """Whether :func:`disown` was called for the record."""
    return bool(backup.service == "")


def shows_nothing_written(backup: Any) -> bool:
    """Whether no backend was ever called for the backup, as far as its record shows.

    Every imported record says :data:`IMPORTED`, except those of older versions:
    these have what the driver saved in the record, at least a container. An old record
    whose driver saves nothing looks the same as a failed one, so a backend that certainly has the
    data takes precedence. A container and nothing else was specified by the user of a backup that
    has failed.
    """
    if was_disowned(backup):
        return True
    if backup.service == IMPORTED or not is_unresolved(backup.service):
        return False
    if backup.service_metadata or backup.object_count:
        return False
    return not backup.container or bool(backup.fail_reason)


def disown(backup: Any) -> None:
    """Note that no backend has data of this backup.

    With a parent, deleting the record would decrement the parent's count of children, to which
    it was never added. With a service, it would need a backend to answer. It is not None, because
    Cinder's API searches the text when it picks a parent.
    """
    backup.parent_id = None
    backup.parent = None
    backup.service = ""
    backup.save()


def mark_import(backup: Any) -> None:
    """Mark the record as imported, as soon as Cinder makes it available.

    Cinder calls the driver first; then it overwrites every field that the exported record has, and
    sets ``service`` to the value that it also writes before a backup has a backend. So the mark is
    set in that same update.
    """
    update = backup.update

    def update_and_mark(changes: dict[str, Any]) -> None:
        imported = "service" in changes
        update({**changes, "service": IMPORTED} if imported else changes)

    backup.update = update_and_mark


def is_being_deleted(backup: Any) -> bool:
    """Whether its deletion has begun, according to the database."""
    with backup.as_read_deleted():
        current = objects.Backup.get_by_id(backup._context, backup.id)
    return current.status in (fields.BackupStatus.DELETING, fields.BackupStatus.DELETED)


def recorded_owner(backup_id: str, service: str, enabled: Backends) -> Backend:
    """The backend that the text names.

    :raises OwnerUnresolved: it names no enabled backend.
    """
    owner = _owner(service, enabled)
    if owner is not None:
        return owner
    path, _, name = service.partition(_MARK)
    old = name or _renamed(path)
    raise OwnerUnresolved(
        f"Backup {backup_id} is held by {service}, which is no enabled backend. Enable that one, "
        f"or, if it was renamed: {remedy(old)} (enabled are {listed(enabled.names)})."
    )


def _owner(service: str, enabled: Backends) -> Backend | None:
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
    return None


def former_names(services: Iterable[str], enabled: Backends) -> frozenset[str]:
    """The prefixes of backends that have records here and are no longer enabled.

    A further backend's record has its name. Of others only the driver's module is known, whose last
    component is the name of a backend configured by a module's or a class's path.

    :param services: the values in the records.
    """
    return frozenset(
        name
        for service in services
        if not is_unresolved(service) and _owner(service, enabled) is None
        if _PREFIX.fullmatch(name := _name_in(service))
    )


def _name_in(service: str) -> str:
    path, _, name = service.partition(_MARK)
    *_, above, last = ("", *path.split("."))
    # Old releases recorded the module and not the class, which begins with a capital.
    return name or (above if last[:1].isupper() else last)


def remedy(old: str) -> str:
    """The command that assigns the records of a renamed backend to its new name."""
    return f"backup-dispatch adopt --from {old} BACKEND"


def names_class_of(backend: Backend, service: str) -> bool:
    """Whether the text is any of the paths of the backend's driver, with or without a name."""
    path = _renamed(service.partition(_MARK)[0])
    return path in (backend.class_path, backend.driver_class.__module__)


def _renamed(path: str) -> str:
    """The current path of a driver that Cinder has renamed."""
    return str(_renamed_by_cinder().get(path, path))


def _renamed_by_cinder() -> dict[str, str]:
    return {old: new for old, new in manager.MAPPING.items() if new != DISPATCHER}


def would_own(driver: str, service: str | None) -> bool:
    """Whether vanilla Cinder accepts a record.

    The code of the installed Cinder decides.

    :param driver: the class path in ``backup_driver``.
    :param service: ``backup.service`` of the record.
    """
    configured = SimpleNamespace(driver_name=driver)
    return bool(manager.BackupManager._is_our_backup(configured, service or ""))


def other_record(driver: Any, backup: Any) -> Any | None:
    """Another record of this cloud, not being deleted, that refers to the same data.

    A record may be imported beside the one that it was exported from, under another ID.
    Cinder's chunked drivers find the data by ``container`` and ``service_metadata``, which both
    have. The owners are not compared: two backends may use one store, and leftover data is better
    than data that another record is missing.

    :param driver: the owner's; None is returned for others than Cinder's chunked drivers.
    """
    if not is_chunked(driver) or not backup.service_metadata:
        return None
    where = {"container": backup.container, "service_metadata": backup.service_metadata}
    for one in objects.BackupList.get_all(backup._context.elevated(), filters=where):
        if one.id != backup.id and one.status != fields.BackupStatus.DELETING:
            return one
    return None


class _AnyBackendOf(str):
    """A key ``CLASS@`` of Cinder's table, for the records of each backend of the class.

    The manager checks for each key whether the *key starts with* the record's text. This one also
    matches every ``CLASS@NAME``: an imported record names the backend as in the cloud that it comes
    from, and which backend of this cloud has its data is determined later.
    """

    __slots__ = ()

    def startswith(self, prefix: Any, *bounds: Any) -> bool:
        """Whether a record with ``prefix`` as its text is accepted."""
        if super().startswith(prefix, *bounds):
            return True
        return isinstance(prefix, str) and prefix.startswith(str(self))


_adding = threading.Lock()


def let_through(enabled: Backends) -> None:
    """Make Cinder's manager accept the records of these backends' classes as the dispatcher's.

    Its table of renamed drivers decides which texts it accepts. No key equals a class path, not
    even for the first backend of a class: that would turn every vanilla manager of this process
    into the dispatcher, since the same table translates ``backup_driver``.

    All operations of the process read the table, each in a thread of its own. So it is never
    modified: if a key is missing, a new table with all of the old keys replaces it, and
    no key is ever removed. Records accepted by keys of another configuration of this process are
    then refused by the dispatcher itself.
    """
    old_names = _renamed_by_cinder()
    classes = {backend.class_path for backend in enabled.enabled}
    paths = classes | {old for old, new in old_names.items() if new in classes}
    wanted = {_AnyBackendOf(f"{path}{_MARK}"): DISPATCHER for path in (*paths, DISPATCHER)}
    if wanted.keys() <= manager.MAPPING.keys():
        return
    with _adding:
        manager.MAPPING = {**manager.MAPPING, **wanted}
