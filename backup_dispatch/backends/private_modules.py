# SPDX-License-Identifier: Apache-2.0
"""A driver class of its own for a backend with a section of its own.

Cinder's drivers read a ``CONF`` that is global to their module, also long after they were made and
in other threads. So a backend with other option values needs other modules: copies of those that
define the driver's class and its bases, run with a ``CONF`` that is an overlay. Nobody else sees
the copies; they are not in ``sys.modules``.

``cinder.backup.driver`` is never copied, so that a copy is a ``BackupDriver`` as well.
"""

from __future__ import annotations

import builtins
import inspect
import itertools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from cinder.backup.driver import BackupDriver
from oslo_config import cfg

from backup_dispatch.backends.conf_overlay import Overlay

CONFIGURATION = "configuration"
"""The argument by which a driver's constructor takes its configuration, if it does."""


def takes_configuration(driver_class: type[Any]) -> bool:
    """Whether the driver needs no copies, because it can be told where to read its options."""
    return CONFIGURATION in inspect.signature(driver_class.__init__).parameters


def private_class(driver_class: type[Any], conf: Overlay) -> type[Any]:
    """The same class, from modules whose ``CONF`` is ``conf``.

    :raises ImportError: a module imports another of them in a way that cannot be redirected.
    """
    copies: dict[str, ModuleType] = {}
    private = {**vars(builtins), "__import__": _importing(copies, _cfg_with(conf))}
    for module in modules_of(driver_class):
        copies[module.__name__] = copy = ModuleType(module.__name__, module.__doc__)
        for name in ("__file__", "__package__", "__spec__", "__loader__"):
            setattr(copy, name, getattr(module, name, None))
        vars(copy)["__builtins__"] = private
        loader: Any = module.__loader__
        exec(loader.get_code(module.__name__), vars(copy))  # noqa: S102 - the module's own code
    found: type[Any] = getattr(copies[driver_class.__module__], driver_class.__qualname__)
    return found


def modules_of(driver_class: type[Any]) -> list[ModuleType]:
    """The modules of the class and of its bases up to Cinder's ``BackupDriver``, bases first."""
    drivers = itertools.takewhile(lambda base: base is not BackupDriver, driver_class.__mro__)
    modules = [sys.modules[one.__module__] for one in reversed(list(drivers))]
    return list(dict.fromkeys(modules))


def _cfg_with(conf: Overlay) -> ModuleType:
    module = ModuleType(cfg.__name__, cfg.__doc__)
    vars(module).update({**vars(cfg), "CONF": conf})
    return module


def _importing(copies: dict[str, ModuleType], own_cfg: ModuleType) -> Callable[..., Any]:
    """The import statement of the copies: it finds copies, and the configuration's overlay."""

    def private_import(
        name: str,
        globals: Any = None,  # noqa: A002 - the names that Python itself uses
        locals: Any = None,  # noqa: A002
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        module = builtins.__import__(name, globals, locals, fromlist, level)
        if not fromlist:
            if name in copies:
                raise ImportError(f"'import {name}' cannot be redirected to a backend's own copy")
            return module
        path = module.__name__
        if path == cfg.__name__:
            return own_cfg
        if path in copies:
            return copies[path]
        own = {one: copies[f"{path}.{one}"] for one in fromlist if f"{path}.{one}" in copies}
        if path == cfg.__name__.rpartition(".")[0] and "cfg" in fromlist:
            own["cfg"] = own_cfg
        if not own:
            return module
        stand_in = ModuleType(path)
        vars(stand_in).update({**vars(module), **own})
        return stand_in

    return private_import
