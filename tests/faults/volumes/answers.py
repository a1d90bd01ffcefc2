# SPDX-License-Identifier: Apache-2.0
"""The keys of an answer, which of them the driver reads, and what an answer says instead."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Path = tuple[str | int, ...]
Reading = Callable[[Path], None]

HOWS = ("absent", "null", "another type")


def keys_of(answer: Any, above: Path = ()) -> Iterator[Path]:
    """Yield the paths of all keys; of a list's items those of the first."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield (*above, key)
            yield from keys_of(value, (*above, key))
    elif isinstance(answer, list) and answer:
        yield from keys_of(answer[0], (*above, 0))


def altered(answer: Any, paths: list[Path], how: str) -> Any:
    """Return the answer with all of these keys absent, null, or of another type."""
    changed = copy.deepcopy(answer)
    # From below: what is changed above would take away what is below.
    for path in sorted(paths, key=len, reverse=True):
        at = changed
        for step in path[:-1]:
            at = at[step]
        if how == "absent":
            del at[path[-1]]
        else:
            at[path[-1]] = None if how == "null" else _another(at[path[-1]])
    return changed


def _another(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return 7
    if isinstance(value, str):
        return {"name": value}
    return [] if value is None else f"{value}"


class Watched(dict[str, Any]):
    """An object of an answer that tells which of its keys are read."""

    def __init__(self, fields: dict[str, Any], above: Path, tell: Reading) -> None:
        super().__init__(
            {key: watched(value, tell, (*above, key)) for key, value in fields.items()}
        )
        self._above = above
        self._tell = tell

    def _told(self, key: str) -> str:
        self._tell((*self._above, key))
        return key

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(self._told(key))

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self._told(str(key)))

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(self._told(key), default)

    def __iter__(self) -> Iterator[str]:
        return iter(list(map(self._told, super().keys())))

    def keys(self) -> Any:
        return list(iter(self))

    def values(self) -> Any:
        return [self[key] for key in self]

    def items(self) -> Any:
        return [(key, self[key]) for key in self]


def watched(answer: Any, tell: Reading, above: Path = ()) -> Any:
    """Return the answer so that each reading of a key is told."""
    if isinstance(answer, dict):
        return Watched(answer, above, tell)
    if isinstance(answer, list):
        # The same for each item: a list is read as a whole.
        return [watched(item, tell, (*above, 0)) for item in answer]
    return answer
