# SPDX-License-Identifier: Apache-2.0
"""Every error with what it means, and the messages that it is raised with."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache

from reference.markdown import marked
from reference.sources import message_of, sources

_TITLES = {
    "backup_dispatch": "The dispatcher and its command",
    "datera_backup": "The Datera backup driver",
    "datera_volume": "The Datera volume driver, and the connection to a cluster",
}
_ROOTS = {
    "Exception", "ValueError", "RuntimeError", "LookupError", "OSError", "KeyError", "TypeError",
}  # fmt: skip


_RAISED_BY = {"refuse": "CommandEnded", "misused": "CommandEnded"}
"""Functions that raise an error with the message that they are given."""


@dataclass
class Error:
    """One class of errors.

    :ivar messages: in the order in which they stand in the sources.
    """

    module: str
    name: str
    bases: tuple[str, ...]
    means: str
    messages: dict[str, None] = field(default_factory=dict)


@cache
def errors() -> tuple[Error, ...]:
    """All classes of errors of what ships."""
    found: dict[tuple[str, str], Error] = {}
    for source in sources():
        for node in source.classes:
            if node.bases:
                bases = tuple(ast.unparse(base) for base in node.bases)
                means = (ast.get_docstring(node) or "").split("\n\n")[0]
                one = Error(source.name, node.name, bases, " ".join(means.split()))
                _own_message(node, one)
                found[source.name, node.name] = one
    known = {name for (_, name), one in found.items() if _is_error(one, set())}
    while more := {
        name for (_, name), one in found.items() if name not in known and _is_error(one, known)
    }:
        known |= more
    kept = [one for one in found.values() if one.name in known and not one.name.startswith("_")]
    by_name: dict[tuple[str, str], list[Error]] = {}
    for one in kept:
        by_name.setdefault((one.module.partition(".")[0], one.name), []).append(one)
    for source in sources():
        for call in source.calls:
            match call:
                case ast.Call(
                    func=ast.Name(id=name) | ast.Attribute(attr=name), args=[first, *_]
                ) if text := message_of(first):
                    for one in by_name.get((source.package, _RAISED_BY.get(name, name)), ()):
                        one.messages[text] = None
    return tuple(kept)


def _is_error(one: Error, known: set[str]) -> bool:
    return any(
        base in _ROOTS or base in known or base.startswith("exception.") for base in one.bases
    )


def _own_message(node: ast.ClassDef, one: Error) -> None:
    for call in ast.walk(node):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Call(), attr="__init__"), args=[first, *_]):
                if text := message_of(first):
                    one.messages[text] = None


def text() -> str:
    """The packages and their errors, as Markdown."""
    parts = []
    for package, title in _TITLES.items():
        parts += [f"## {title}", ""]
        of_package = [one for one in errors() if one.module.partition(".")[0] == package]
        for one in sorted(of_package, key=lambda one: one.name):
            bases = ", ".join(f"`{base.rpartition('.')[2]}`" for base in one.bases)
            parts += [f"### {one.name}", "", f"{marked(one.means)} *A kind of {bases}.*", ""]
            if shown := [message for message in one.messages if len(message.split()) > 1]:
                parts += [*(f"- `` {_line(message)} ``" for message in shown), ""]
    return "\n".join(parts)


def _line(message: str) -> str:
    return " ".join(message.replace("``", "`").split())
