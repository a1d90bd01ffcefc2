# SPDX-License-Identifier: Apache-2.0
"""A range of a volume that a reader cannot give."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Missing:
    """A range of the volume, and what was found in its place."""

    offset: int
    length: int
    reason: str


def joined(ranges: Iterable[Missing]) -> list[Missing]:
    """The ranges, with neighbours for the same reason as one.

    :param ranges: in order.
    """
    result: list[Missing] = []
    for one in ranges:
        last = result[-1] if result else None
        if last and last.reason == one.reason and last.offset + last.length == one.offset:
            result[-1] = replace(last, length=last.length + one.length)
        else:
            result.append(one)
    return result
