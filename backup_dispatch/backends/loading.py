# SPDX-License-Identifier: Apache-2.0
"""From an operator's entry to a driver class, or to one message with the remedy."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Set as AbstractSet
from importlib import metadata
from types import ModuleType
from typing import Any, NoReturn

from cinder.backup import driver as cinder_driver
from stevedore import NamedExtensionManager

from backup_dispatch.errors import ConfigurationInvalid, listed, reason_of

NAMESPACE = "backup_dispatch.backends"
"""Where distributions register backup drivers by name."""

DriverClass = type[Any]


def registered_names() -> frozenset[str]:
    """All names in :data:`NAMESPACE`, whether their drivers can be imported or not."""
    return frozenset(one.name for one in metadata.entry_points(group=NAMESPACE))


def load_entry(entry: str, option: str) -> tuple[str, DriverClass]:
    """The backend's name and its driver class.

    :param entry: a registered name, a module's path or a class's path.
    :param option: the option that holds the entry, for messages.
    :raises ConfigurationInvalid: it is none of these, or not exactly one backup driver.
    """
    known = registered_names()
    if entry in known:
        return entry, _registered(entry, option)
    if "." not in entry:
        _refuse(
            option,
            entry,
            f"there is no such backend; known are {listed(known)}; "
            "or write a driver's module or class path",
        )
    module = _module(entry, option)
    if module is not None:
        return entry.rpartition(".")[2], _only_driver_of(module, entry, option)
    parent, _, attribute = entry.rpartition(".")
    module = _module(parent, option)
    if module is None or not hasattr(module, attribute):
        _refuse(
            option,
            entry,
            f"there is no such module and no such class; known names are {listed(known)}",
        )
    found = getattr(module, attribute)
    return parent.rpartition(".")[2], _checked(found, entry, option)


def _registered(name: str, option: str) -> DriverClass:
    """Load a registered name through stevedore, which ignores errors by default."""

    def failed(_manager: object, point: Any, error: BaseException) -> NoReturn:
        _refuse(
            option,
            name,
            f"{point.value} does not import: {reason_of(error).rstrip('.')}; "
            "install what it needs, or take the name out",
            error,
        )

    # stevedore detects only adjacent duplicates as a conflict: so check here.
    points = [one for one in metadata.entry_points(group=NAMESPACE) if one.name == name]
    if len({one.value for one in points}) > 1:
        _refuse(
            option,
            name,
            f"several installed packages register that name ({listed(p.value for p in points)}); "
            "write the class path of the one you mean",
        )
    manager: NamedExtensionManager[Any] = NamedExtensionManager(
        NAMESPACE, [name], on_load_failure_callback=failed, on_missing_entrypoints_callback=None
    )
    return _checked(manager[name].plugin, name, option)


def _module(path: str, option: str) -> ModuleType | None:
    """The module, or None if there is none of that name.

    :raises ConfigurationInvalid: it exists and fails to import.
    """
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        # The module that is not found may also be one that this module imports.
        if error.name is not None and (path == error.name or path.startswith(f"{error.name}.")):
            return None
        return _import_failed(path, option, error)
    except Exception as error:
        return _import_failed(path, option, error)


def _import_failed(path: str, option: str, error: BaseException) -> NoReturn:
    reason = reason_of(error).rstrip(".")
    remedy = "install what it needs, or take it out"
    _refuse(option, path, f"it does not import: {reason}; {remedy}", error)


def _only_driver_of(module: ModuleType, entry: str, option: str) -> DriverClass:
    """The one backup driver that the module defines itself; imported ones do not count."""
    drivers = {
        value
        for value in vars(module).values()
        if _is_driver(value) and value.__module__ == module.__name__
    }
    if not drivers:
        _refuse(
            option,
            entry,
            "the module defines no backup driver; write a driver's module or class path, "
            f"or one of {listed(registered_names())}",
        )
    if len(drivers) > 1:
        names = listed(one.__qualname__ for one in drivers)
        _refuse(
            option,
            entry,
            f"the module defines several backup drivers ({names}); write the class path of one",
        )
    return _checked(drivers.pop(), entry, option)


def _is_driver(value: object) -> bool:
    return (
        inspect.isclass(value)
        and issubclass(value, cinder_driver.BackupDriver)
        and not inspect.isabstract(value)
    )


def _checked(found: Any, entry: str, option: str) -> DriverClass:
    if not inspect.isclass(found) or not issubclass(found, cinder_driver.BackupDriver):
        _refuse(
            option,
            entry,
            "that is no backup driver (no subclass of cinder.backup.driver.BackupDriver); "
            f"known names are {listed(registered_names())}",
        )
    missing: AbstractSet[str] = getattr(found, "__abstractmethods__", frozenset())
    if missing:
        _refuse(
            option,
            entry,
            f"that driver is abstract: it lacks {listed(missing)}; write a complete driver's path",
        )
    if found.__module__.split(".")[0] == __name__.split(".")[0]:
        _refuse(
            option,
            entry,
            "that is the dispatcher itself; it belongs into backup_driver, not among the backends",
        )
    driver_class: DriverClass = found
    return driver_class


def _refuse(option: str, value: str, why: str, cause: BaseException | None = None) -> NoReturn:
    raise ConfigurationInvalid(f"{option} has {value!r}: {why}.") from cause
