# SPDX-License-Identifier: Apache-2.0
"""What the shipped modules say, read as text: nothing of them is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ("backup_dispatch", "datera_backup", "datera_volume")
_TESTING = ROOT / "backup_dispatch" / "testing"


@dataclass(frozen=True)
class Source:
    """One module.

    :ivar name: with dots.
    :ivar body: the statements at the top.
    :ivar classes: all classes of it.
    :ivar calls: all calls in it.
    """

    name: str
    body: tuple[ast.stmt, ...]
    classes: tuple[ast.ClassDef, ...]
    calls: tuple[ast.Call, ...]

    @property
    def package(self) -> str:
        """The first part of its name."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Constant:
    """A text at the top of a module, and the words below it."""

    module: str
    name: str
    value: str
    told: str


@cache
def sources() -> tuple[Source, ...]:
    """All modules that ship, in the order of their names; without the contract for backends."""
    paths = [path for package in SHIPPED for path in sorted((ROOT / package).rglob("*.py"))]
    return tuple(_read(path) for path in paths if _TESTING not in path.parents)


def _read(path: Path) -> Source:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes, calls = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            classes.append(node)
        elif isinstance(node, ast.Call):
            calls.append(node)
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return Source(name, tuple(tree.body), tuple(classes), tuple(calls))


def constants() -> Iterator[Constant]:
    """All texts at the top of modules that are given a name."""
    for source in sources():
        for statement, behind in zip_longest(source.body, source.body[1:]):
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(value))):
                    told = ""
                    if isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant):
                        told = str(behind.value.value)
                    yield Constant(source.name, name, value, " ".join(told.split()))


def message_of(node: ast.expr) -> str | None:
    """A message as the source has it, with ``NAME`` for what is put in; None if it is none."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_part(value) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = (message_of(left), message_of(right))
            return "".join(part or "…" for part in parts) if any(parts) else None
    return None


def _part(value: ast.expr) -> str:
    match value:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name.lstrip("_").upper()
        case ast.FormattedValue(
            value=ast.Call(args=[ast.Name(id=name) | ast.Attribute(attr=name)])
        ):
            return name.lstrip("_").upper()
    return "…"
