# SPDX-License-Identifier: Apache-2.0
"""Options in a backend's section that its driver never reads: most likely they are misspelled.

oslo.config ignores what is never read, so with a misspelled ``backup_ceph_pol`` backups would
silently go to the pool of ``[DEFAULT]``.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from oslo_config import cfg

from backup_dispatch.errors import ConfigurationInvalid

_DEFAULT = "DEFAULT"


def refuse_unread(
    conf: Any,
    section: str,
    driver: str,
    read: AbstractSet[str],
    beside: Mapping[str, str] | None = None,
) -> None:
    """Refuse a section that sets an option which its driver does not read.

    A section that is also a volume backend's may set that one's options.

    :param driver: the driver as the section names it, for the message.
    :param read: all names that the driver reads.
    :param beside: names that modules beside the driver's own read, see :func:`names_read_beside`.
    :raises ConfigurationInvalid: naming the first such option and the closest that it reads.
    """
    set_here = names_in(conf, section)
    if "volume_driver" in set_here:
        set_here = [name for name in set_here if name.startswith("backup_")]
    for name in set_here:
        if name in (beside or {}):
            raise ConfigurationInvalid(
                f"[{section}] {name}: {driver} reads it in {(beside or {})[name]}, which all "
                "backends share, so it counts in [DEFAULT] only. Set it there."
            )
        if name in read:
            continue
        if name in conf:
            raise ConfigurationInvalid(
                f"[{section}] {name}: {driver} reads it in [DEFAULT] only. Set it there."
            )
        (nearest,) = get_close_matches(name, sorted(read), n=1, cutoff=0)
        raise ConfigurationInvalid(
            f"[{section}] {name}: {driver} reads no such option; the nearest is {nearest}. "
            "Correct the name, or take the line out."
        )


def names_in(conf: Any, section: str) -> list[str]:
    """The names of all options that the configuration files set in this section, once, in order.

    :param section: in any case, as oslo.config reads it: ``[East]`` is the section ``east``.
    """
    key = _folded(section)
    return list(dict.fromkeys(name for file in _files(conf) for name in file.get(key, {})))


def sections_with(conf: Any, option: str) -> frozenset[str]:
    """The names, in lower case, of all sections but ``[DEFAULT]`` that set an option."""
    return frozenset(
        section
        for file in _files(conf)
        for section, values in file.items()
        if option in values and section.upper() != _DEFAULT
    )


def _folded(section: str) -> str:
    return section if section == _DEFAULT else section.lower()


def _files(conf: Any) -> list[dict[str, dict[str, Any]]]:
    """Each file's options, by section; the sections' names are in lower case.

    oslo.config returns the values of registered options only; other options are found only here.
    """
    files: list[dict[str, dict[str, Any]]] = conf._namespace._normalized if conf._namespace else []
    return files


def spellings_of(opts: Iterable[Any]) -> set[str]:
    """The names by which a section may set these options, deprecated ones too."""
    names: set[str] = set()
    for opt in opts:
        names |= {opt.dest, opt.name}
        names |= {old.name for old in opt.deprecated_opts if old.name}
    return names


def names_read_by(modules: Iterable[ModuleType], conf: Any) -> set[str]:
    """The options that these modules read from this configuration: each ``x`` of a ``CONF.x``.

    An expression counts by its value in the module, however it is spelled: ``CONF``,
    ``cfg.CONF``, ``options.CONF``.
    """
    return {
        name
        for module in modules
        for name in _read_in(ast.parse(inspect.getsource(module)), vars(module), conf)
    }


def names_read_beside(own: Iterable[ModuleType], conf: Any) -> dict[str, str]:
    """The options that modules which a driver uses, and that are not its own, read from ``conf``.

    These are the modules that its modules import, and further modules of the same packages.
    Cinder's are left out: others use them too, and their options belong in ``[DEFAULT]``.

    :param own: the backend's own copies.
    :returns: the module that reads, by option.
    """
    own = tuple(own)
    names = {one.__name__ for one in own}
    packages = {name.partition(".")[0] for name in names}
    seen: dict[str, ModuleType] = {}
    ahead = [module for one in own for module in _used_by(one)]
    while ahead:
        module = ahead.pop()
        name = module.__name__
        if name in seen or name in names or name.partition(".")[0] in _SHARED:
            continue
        seen[name] = module
        if name.partition(".")[0] in packages:
            ahead += _used_by(module)
    return {
        option: module.__name__
        for module in seen.values()
        if any(value is conf or value is cfg for value in vars(module).values())
        for option in names_read_by([module], conf)
    }


_SHARED = frozenset({"cinder", "oslo_config"})


def _used_by(module: ModuleType) -> list[ModuleType]:
    """The modules that a module imports, or imports names from."""
    named = [
        value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        for value in vars(module).values()
    ]
    return [sys.modules[name] for name in named if isinstance(name, str) and name in sys.modules]


def _read_in(tree: ast.AST, names: dict[str, Any], conf: Any) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _value_of(node.value, names) is conf:
            yield node.attr
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and _value_of(node.value, names) is conf
        ):
            yield str(node.slice.value)


def _value_of(node: ast.AST, names: dict[str, Any]) -> Any:
    """The value of a dotted name in its module; None if it has none, or only at run time."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        holder = _value_of(node.value, names)
        return vars(holder).get(node.attr) if isinstance(holder, ModuleType) else None
    return None
