# SPDX-License-Identifier: Apache-2.0
"""A private driver class for a backend that has its own section.

Cinder's drivers read a ``CONF`` that is global to their module, also long after their construction
and in other threads. So a backend with other option values needs other modules: copies of those
that define the driver's class and its bases, run with an overlay as ``CONF``. The copies are
private; they are not in ``sys.modules``.

``cinder.backup.driver`` is never copied, so that a copy is a ``BackupDriver`` as well.

The options that a section may set are determined from the copies: those that reach the overlay. A
copy that reaches the process's ``CONF`` in a way that cannot be redirected is refused.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from cinder.backup.driver import BackupDriver
from oslo_config import cfg

from backup_dispatch.backends.conf_overlay import Overlay
from backup_dispatch.errors import ConfigurationInvalid

CONFIGURATION = "configuration"
"""The argument of a driver's constructor for its configuration, if it has one."""


_PACKAGE = cfg.__name__.rpartition(".")[0]


def takes_configuration(driver_class: type[Any]) -> bool:
    """Whether the driver needs no copies, because it takes its configuration as an argument."""
    return CONFIGURATION in inspect.signature(driver_class.__init__).parameters


@dataclass(frozen=True)
class PrivateDriver:
    """A backend's private driver class, and the modules that were run for it."""

    driver_class: type[Any]
    modules: tuple[ModuleType, ...]


def private_driver(driver_class: type[Any], conf: Overlay) -> PrivateDriver:
    """The same class, from modules whose ``CONF`` is ``conf``.

    :raises ImportError: a module imports another of them in a way that cannot be redirected.
    :raises ConfigurationInvalid: a module bypasses ``conf`` and reads the process's configuration.
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
    for copy in copies.values():
        for place in _past_the_overlay(copy):
            raise ConfigurationInvalid(
                f"[{conf.config_group}] cannot be read by {copy.__name__}: it reaches oslo.config "
                f"by {place}, where no section can be put before it. Let the driver say "
                "'from oslo_config import cfg', or set its options in [DEFAULT] and remove the "
                "section."
            )
    found: type[Any] = getattr(copies[driver_class.__module__], driver_class.__qualname__)
    return PrivateDriver(found, tuple(copies.values()))


def _past_the_overlay(copy: ModuleType) -> Iterator[str]:
    """The names by which a copy has the real ``CONF``, or a module that gives access to it."""
    for name, value in vars(copy).items():
        if _is_real(value):
            yield repr(name)
        elif inspect.isclass(value) and value.__module__ == copy.__name__:
            yield from (f"'{name}.{one}'" for one, held in vars(value).items() if _is_real(held))
    for node in ast.walk(ast.parse(inspect.getsource(copy))):
        if isinstance(node, ast.Constant) and str(node.value).split(".")[0] == _PACKAGE:
            # importlib.import_module() and sys.modules[] take it as a string.
            yield f"the text {node.value!r}"


def _is_real(value: object) -> bool:
    return value is cfg.CONF or value is cfg or value is sys.modules[_PACKAGE]


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
    """The copies' import function: it finds copies, and the configuration's overlay."""

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
            # 'import oslo_config.cfg' and 'import oslo_config.cfg as x' go through the package.
            return _with(module, {"cfg": own_cfg}) if module.__name__ == _PACKAGE else module
        path = module.__name__
        if path == cfg.__name__:
            return own_cfg
        if path in copies:
            return copies[path]
        own = {one: copies[f"{path}.{one}"] for one in fromlist if f"{path}.{one}" in copies}
        if path == _PACKAGE:
            own["cfg"] = own_cfg
        return _with(module, own) if own else module

    return private_import


def _with(module: ModuleType, own: dict[str, ModuleType]) -> ModuleType:
    """A stand-in for a module, with these names replaced."""
    stand_in = ModuleType(module.__name__)
    vars(stand_in).update({**vars(module), **own})
    return stand_in
