# SPDX-License-Identifier: Apache-2.0
"""The mistakes that are made: one change of one place each, that still compiles.

Few of them leave the meaning as it was. What only speaks to people (log lines) is left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

TURNED: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: ">=",
    ast.LtE: ">",
    ast.Gt: "<=",
    ast.GtE: "<",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
LEAVES = (ast.Raise, ast.Return, ast.Continue, ast.Break)
LOGGERS = {"LOG", "_LOG", "logger", "warnings"}


@dataclass(frozen=True)
class Mutant:
    """One place of a file, and what stands there instead.

    :ivar kind: what is done to it, in words.
    :ivar start: where it begins and ends, in bytes of the file.
    :ivar lines: the first and the last line (from 1) of what runs if it does.
    """

    path: str
    kind: str
    start: int
    end: int
    text: str
    lines: tuple[int, int]

    def applied_to(self, source: bytes) -> bytes:
        """Return the file with this mistake in it."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def shown(self, source: bytes) -> str:
        """Return it for people: where, what, and the line before and after."""
        number = self.lines[0]
        before = source.splitlines()[number - 1].decode().strip()
        after = self.applied_to(source).splitlines()[number - 1].decode().strip()
        return f"{self.path}:{number}: {self.kind}\n    - {before}\n    + {after}"


def mutants(path: str, source: bytes) -> list[Mutant]:
    """Return all that can be made of a file, in the order of their places."""
    return sorted(_Finder(path, source).found(), key=lambda mutant: (mutant.start, mutant.kind))


class _Finder:
    def __init__(self, path: str, source: bytes) -> None:
        self._path = path
        self._tree = ast.parse(source)
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._source = source

    def found(self) -> Iterator[Mutant]:
        for node in self._running(self._tree):
            if isinstance(node, ast.Compare):
                yield from self._turned(node)
            elif isinstance(node, ast.BoolOp):
                yield self._other_word(node)
            elif isinstance(node, ast.If) and isinstance(node.body[-1], LEAVES) and not node.orelse:
                yield self._instead("a guard that never fires", node.test, "False")
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                yield self._instead("a call dropped", node, "pass")

    def _running(self, node: ast.AST) -> Iterator[ast.AST]:
        """Go through what has a meaning when the program runs."""
        for child in ast.iter_child_nodes(node):
            if _only_speaks(child) or _is_for_types(child):
                continue
            yield child
            yield from self._running(child)

    def _turned(self, node: ast.Compare) -> Iterator[Mutant]:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            between = self._source[self._end(left) : self._start(right)]
            # What stands beside the operator may be brackets, or a comment.
            words = between.strip(b" \n\\()")
            if words and b"#" not in between:
                start = self._end(left) + between.index(words)
                yield self._mutant(
                    "a comparison turned", node, start, start + len(words), TURNED[type(operator)]
                )
            left = right

    def _other_word(self, node: ast.BoolOp) -> Mutant:
        word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        first, second = node.values[:2]
        start = self._source.index(word.encode(), self._end(first), self._start(second))
        kind = f"`{other}` for `{word}`"
        return self._mutant(kind, node, start, start + len(word), other)

    def _instead(self, kind: str, node: ast.stmt | ast.expr, text: str) -> Mutant:
        return self._mutant(kind, node, self._start(node), self._end(node), text)

    def _mutant(
        self, kind: str, node: ast.stmt | ast.expr, start: int, end: int, text: str
    ) -> Mutant:
        lines = (node.lineno, node.end_lineno or node.lineno)
        return Mutant(self._path, kind, start, end, text, lines)

    def _start(self, node: ast.stmt | ast.expr) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.stmt | ast.expr) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset


def _only_speaks(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return False
    called = node.value.func
    while isinstance(called, ast.Attribute):
        called = called.value
    return isinstance(called, ast.Name) and called.id in LOGGERS


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
