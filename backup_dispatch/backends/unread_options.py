# SPDX-License-Identifier: Apache-2.0
"""Options in a backend's section that its driver never reads: most likely they are misspelt.

oslo.config ignores what nobody asks for, so a misspelt ``backup_ceph_pol`` would let backups go to
the pool of ``[DEFAULT]`` without a word.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from backup_dispatch.errors import ConfigurationInvalid

_CONF = "CONF"
_DEFAULT = "DEFAULT"


def refuse_unread(conf: Any, section: str, driver: str, read: AbstractSet[str]) -> None:
    """Refuse a section that sets an option which its driver does not read.

    A section that is a volume backend's as well may set what that one reads.

    :param driver: the driver as the section names it, for the message.
    :param read: all names that the driver reads.
    :raises ConfigurationInvalid: naming the first such option and the nearest that it reads.
    """
    set_here = names_in(conf, section)
    if "volume_driver" in set_here:
        set_here = [name for name in set_here if name.startswith("backup_")]
    for name in set_here:
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
    """The names of all that the configuration files set in this section, each once, in order.

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
    """What each file says, by section; their names are in lower case.

    oslo.config tells the values of options it knows; what else a file says only this remembers.
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


def names_read_by(modules: Iterable[ModuleType]) -> set[str]:
    """What these modules read of the configuration by name: each ``x`` of a ``CONF.x``."""
    return {name for module in modules for name in _read_in(ast.parse(inspect.getsource(module)))}


def _read_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_conf(node.value):
            yield node.attr
        elif (
            isinstance(node, ast.Subscript)
            and _is_conf(node.value)
            and isinstance(node.slice, ast.Constant)
        ):
            yield str(node.slice.value)


def _is_conf(node: ast.AST) -> bool:
    named = node.id if isinstance(node, ast.Name) else getattr(node, "attr", None)
    return named == _CONF
