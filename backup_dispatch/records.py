# SPDX-License-Identifier: Apache-2.0
"""What ``backup.service`` says, and which texts Cinder's manager lets through to the dispatcher.

The owner of a backup is recorded as vanilla Cinder would record it, by the driver's class path, so
that the dispatcher can be switched on and off over existing backups. Only further backends of the
same class append ``@name``.

Where no backend is named, three texts tell apart what there is of the backup:

=================  =================================================================================
:data:`DISPATCHER`  nothing: Cinder writes it first of all, the backend's takes its place before the
                    first byte
:data:`IMPORTED`    data, on a backend that is to be found out
empty               nothing: no backend was chosen, or the chosen one could not be called
=================  =================================================================================
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from cinder import objects
from cinder.backup import manager
from cinder.objects import fields

from backup_dispatch.backends.configured import PREFIX as _PREFIX
from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.errors import OwnerUnresolved, listed

_MARK = "@"

DISPATCHER = "backup_dispatch.driver.BackupDispatcher"
"""What Cinder writes before a backend has been chosen."""

IMPORTED = f"{DISPATCHER}{_MARK}imported"
"""What the record says after an import, until the owner is found."""


def is_unresolved(service: str | None) -> bool:
    """Whether the record says nothing of the backend behind the dispatcher."""
    return not service or DISPATCHER.startswith(service) or service == IMPORTED


def was_disowned(backup: Any) -> bool:
    """Whether :func:`disown` was called for the record."""
    return bool(backup.service == "")


def shows_nothing_written(backup: Any) -> bool:
    """Whether no backend was ever called for the backup, as far as its record can tell.

    Every record of an import says :data:`IMPORTED`, but for those of the time before that was
    written: these have what the driver left in the record, a container at least. A record of that
    time whose driver leaves nothing looks the same as one that failed, so a backend that says for
    certain that it has the data stands above this. A container without anything else is the
    user's wish where the backup has failed.
    """
    if was_disowned(backup):
        return True
    if backup.service == IMPORTED or not is_unresolved(backup.service):
        return False
    if backup.service_metadata or backup.object_count:
        return False
    return not backup.container or bool(backup.fail_reason)


def disown(backup: Any) -> None:
    """Note that no backend has anything of this backup.

    With a parent, deleting the record would take one from the count of the parent's children, which
    it was never added to. With a service, it would need a backend to answer. It is not None, for
    Cinder's API looks into the text when it picks a parent.
    """
    backup.parent_id = None
    backup.parent = None
    backup.service = ""
    backup.save()


def mark_import(backup: Any) -> None:
    """Let the record of an import say so, as soon as Cinder makes it available.

    Cinder calls the driver first; then it overwrites every field that the exported record has, and
    ``service`` with what it also writes before a backup has a backend. So the mark goes in with
    that very update.
    """
    update = backup.update

    def update_and_mark(changes: dict[str, Any]) -> None:
        imported = "service" in changes
        update({**changes, "service": IMPORTED} if imported else changes)

    backup.update = update_and_mark


def is_being_deleted(backup: Any) -> bool:
    """Whether its deletion has begun, by the database."""
    with backup.as_read_deleted():
        current = objects.Backup.get_by_id(backup._context, backup.id)
    return current.status in (fields.BackupStatus.DELETING, fields.BackupStatus.DELETED)


def recorded_owner(backup_id: str, service: str, enabled: Backends) -> Backend:
    """The backend that the text names.

    :raises OwnerUnresolved: no enabled backend is meant.
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
    """The prefixes of backends that have records here and are enabled no more.

    A further backend's record has its name. Of another's the driver's module is known, whose last
    component was the name of a backend that was written as a module's or a class's path.

    :param services: what the records say.
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
    """The command that gives the records of a renamed backend to the one that it is now."""
    return f"backup-dispatch adopt --from {old} BACKEND"


def names_class_of(backend: Backend, service: str) -> bool:
    """Whether the text names the backend's driver, by any of its paths, with or without a name."""
    path = _renamed(service.partition(_MARK)[0])
    return path in (backend.class_path, backend.driver_class.__module__)


def _renamed(path: str) -> str:
    """Today's path of a driver that Cinder has renamed."""
    return str(_renamed_by_cinder().get(path, path))


def _renamed_by_cinder() -> dict[str, str]:
    return {old: new for old, new in manager.MAPPING.items() if new != DISPATCHER}


class _AnyBackendOf(str):
    """A key ``CLASS@`` of Cinder's table, for the records of each backend of the class.

    The manager asks of each key whether the *key starts with* the record's text. This one answers
    for every ``CLASS@NAME`` too: an imported record names the backend as the cloud that it comes
    from called it, and which backend of this cloud has its data is found out later.
    """

    __slots__ = ()

    def startswith(self, prefix: Any, *bounds: Any) -> bool:
        """Whether a record that says ``prefix`` is let through."""
        if super().startswith(prefix, *bounds):
            return True
        return isinstance(prefix, str) and prefix.startswith(str(self))


_adding = threading.Lock()


def let_through(enabled: Backends) -> None:
    """Make Cinder's manager accept the records of these backends' classes as the dispatcher's.

    Its table of renamed drivers says which texts it accepts. No key equals a class path, not even
    for the first backend of a class: that would turn every vanilla manager of this process into
    the dispatcher, for the same table translates ``backup_driver``.

    All operations of the process read the table, each in a thread of its own. So it is never
    changed: where a key is missing another table, with all of the old one's, takes its place, and
    nothing is ever taken out. What another configuration of this process added lets records
    through that the dispatcher then refuses by itself.
    """
    old_names = _renamed_by_cinder()
    classes = {backend.class_path for backend in enabled.enabled}
    paths = classes | {old for old, new in old_names.items() if new in classes}
    wanted = {_AnyBackendOf(f"{path}{_MARK}"): DISPATCHER for path in (*paths, DISPATCHER)}
    if wanted.keys() <= manager.MAPPING.keys():
        return
    with _adding:
        manager.MAPPING = {**manager.MAPPING, **wanted}
