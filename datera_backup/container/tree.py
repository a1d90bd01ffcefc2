# SPDX-License-Identifier: Apache-2.0
"""The tree of index pages over a backup's manifests, written bottom up and read top down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from datera_backup.container.copies import Copies
from datera_backup.container.errors import LayoutDamaged, ManifestDamaged
from datera_backup.container.format import index
from datera_backup.container.format.commit import Commit
from datera_backup.container.format.index import FAN_OUT, REF_SIZE, Refs
from datera_backup.container.format.log_record import INDEX, RecordRef

Put = Callable[[int, int, Refs], RecordRef]
"""Writes a page of a level and a number."""

_Page = tuple[int, RecordRef | None, Refs]
"""A page's number, what refers to it, and what it refers to."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive chunks with the same finding in the tree.

    :param ref: the manifest, of one chunk; None where all are zero, or it is not known.
    :param error: why it is not known.
    """

    first: int
    count: int
    ref: RecordRef | None = None
    error: ManifestDamaged | None = None


class ParentPages(Protocol):
    """The tree of a parent that lies in the same container."""

    def page(self, level: int, number: int) -> tuple[RecordRef | None, Refs]:
        """Return a page and what refers to it; nothing at all where it is all zero."""


class TreeWriter:
    """Takes the references to a backup's manifests in their order."""

    def __init__(self, chunks: int, put: Put, parent: ParentPages | None) -> None:
        """Begin.

        :param parent: whose pages serve where they say the same.
        """
        self._depth = index.depth_for(chunks)
        self._put = put
        self._parent = parent
        self._refs: list[list[RecordRef | None]] = [[] for _ in range(self._depth + 1)]
        self._done = [0] * (self._depth + 1)
        self._changed = [False] * (self._depth + 1)

    def add(self, ref: RecordRef | None, *, inherited: bool) -> None:
        """Take the reference to a manifest; None where the chunk is all zero.

        :param inherited: whether the parent refers to the same, or to nothing, there.
        """
        self._add(0, ref, inherited)

    def finish(self) -> RecordRef | None:
        """Write the pages that are not full and return what refers to the uppermost."""
        for level in range(1, self._depth + 1):
            if self._refs[level]:
                self._end_page(level)
        return self._refs[0][0] if self._refs[0] else None

    def _add(self, level: int, ref: RecordRef | None, inherited: bool) -> None:
        if level == self._depth:
            self._refs[0] = [ref]
            return
        above = level + 1
        self._refs[above].append(ref)
        self._changed[above] |= not inherited
        if len(self._refs[above]) == FAN_OUT:
            self._end_page(above)

    def _end_page(self, level: int) -> None:
        refs = tuple(self._refs[level])
        number = self._done[level]
        ref, inherited = self._page(level, number, refs, self._changed[level])
        self._refs[level] = []
        self._done[level] += 1
        self._changed[level] = False
        self._add(level, ref, inherited)

    def _page(
        self, level: int, number: int, refs: Refs, changed: bool
    ) -> tuple[RecordRef | None, bool]:
        parents_ref: RecordRef | None = None
        if self._parent is not None and not changed:
            try:
                parents_ref, parents = self._parent.page(level, number)
            except LayoutDamaged:
                parents = ()
            if parents_ref is not None and parents == refs:
                return parents_ref, True
        if not any(refs):
            return None, not changed and parents_ref is None
        return self._put(level, number, refs), False


class TreeReader:
    """Finds a backup's manifests; many threads may use it at once."""

    def __init__(
        self, copies: Copies, commit: Commit, damaged: Callable[[str, str], ManifestDamaged]
    ) -> None:
        """Read nothing yet.

        :param damaged: makes the error from what is damaged and from a reason.
        """
        self._copies = copies
        self._root = commit.root
        self._chunks = commit.geometry.chunks(commit.source_size)
        self._depth = index.depth_for(self._chunks)
        self._damaged = damaged
        # The last two pages of each level: chunks are asked for in their order, by one that reads
        # ahead and by one that follows.
        self._last: list[tuple[_Page, ...]] = [()] * (self._depth + 1)

    @property
    def depth(self) -> int:
        """Levels of pages; 0 where there is one manifest at most."""
        return self._depth

    def manifest(self, chunk: int) -> RecordRef | None:
        """Return where a chunk's manifest lies; None where it is all zero.

        :raises ManifestDamaged: a page on an index page above it is damaged.
        """
        return self.ref(0, chunk)

    def ref(self, level: int, number: int) -> RecordRef | None:
        """Return what refers to a page, which is not read; that of level 0 is a manifest.

        :returns: None where it is all zero or beyond.
        :raises LayoutDamaged: a page above it is damaged.
        """
        if level > self._depth or number >= index.pages_at(self._chunks, level):
            return None
        if level == self._depth:
            return self._root
        above = self.page(level + 1, number // FAN_OUT)[1]
        return above[number % FAN_OUT] if above else None

    def stretches(self) -> Iterator[Stretch]:
        """Yield all chunks in their order; as much as a page is zero or damaged for is one."""
        return self._below(self._depth, 0, self._root)

    def _below(self, level: int, number: int, ref: RecordRef | None) -> Iterator[Stretch]:
        first = number * FAN_OUT**level
        count = min(FAN_OUT**level, self._chunks - first)
        if not level or ref is None:
            yield Stretch(first, count, ref)
            return
        try:
            refs = self.page(level, number)[1]
        except ManifestDamaged as exc:
            yield Stretch(first, count, error=exc)
            return
        for place, below in enumerate(refs, number * FAN_OUT):
            yield from self._below(level - 1, place, below)

    def page(self, level: int, number: int) -> tuple[RecordRef | None, Refs]:
        """Return a page and what refers to it; nothing at all where it is all zero or beyond.

        :raises ManifestDamaged: it is damaged, or one above it.
        """
        if level > self._depth or number >= index.pages_at(self._chunks, level):
            return None, ()
        last = self._last[level]
        for kept, ref, refs in last:
            if kept == number:
                return ref, refs
        ref, refs = self._read(level, number)
        self._last[level] = ((number, ref, refs), *last[:1])
        return ref, refs

    def _read(self, level: int, number: int) -> tuple[RecordRef | None, Refs]:
        ref = self.ref(level, number)
        if ref is None:
            return None, ()

        def damaged(reason: str) -> ManifestDamaged:
            return self._damaged(f"index page {number} of level {level}", reason)

        payload = self._copies.read(ref, (INDEX, level, number), FAN_OUT * REF_SIZE, damaged)
        try:
            refs = index.decode(payload)
        except ValueError as exc:
            raise damaged(str(exc)) from exc
        if len(refs) != index.count_in(self._chunks, level, number):
            raise damaged(f"it has {len(refs)} references")
        return ref, refs
