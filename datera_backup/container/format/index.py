# SPDX-License-Identifier: Apache-2.0
"""Index pages: the tree by which a backup's manifests are found.

A page of level 1 refers to manifests, one of level 2 to pages of level 1, and so on. So a changed
block costs a manifest and one page of each level, however large the volume is.
"""

from __future__ import annotations

import struct

from datera_backup.container.format.geometry import DIGEST_SIZE
from datera_backup.container.format.log_record import RecordRef

FAN_OUT = 128
"""References that a page holds at most."""

MAX_DEPTH = 8

_REF = struct.Struct(f"<QI{DIGEST_SIZE}s")
REF_SIZE = _REF.size

Refs = tuple[RecordRef | None, ...]
"""References to manifests or pages; None where all that they would describe is zero."""


def depth_for(chunks: int) -> int:
    """Return how many levels of pages are needed to refer to so many manifests."""
    depth = 0
    while FAN_OUT**depth < chunks:
        depth += 1
    return depth


def pages_at(chunks: int, level: int) -> int:
    """Return how many pages a level has; level 0 is the manifests."""
    return -(-chunks // int(FAN_OUT**level))


def count_in(chunks: int, level: int, number: int) -> int:
    """Return how many references a page holds."""
    return min(FAN_OUT, pages_at(chunks, level - 1) - number * FAN_OUT)


def encode_ref(ref: RecordRef | None) -> bytes:
    """Return a reference as it stands in pages and commit records; zeros for None."""
    return bytes(REF_SIZE) if ref is None else _REF.pack(*ref)


def encode(refs: Refs) -> bytes:
    """Return the payload of a page."""
    return b"".join(map(encode_ref, refs))


def decode(payload: bytes) -> Refs:
    """Read a page's payload, or one reference of a commit record.

    :raises ValueError: it is not a number of references.
    """
    if len(payload) % REF_SIZE:
        raise ValueError("its length is no multiple of a reference")
    return tuple(RecordRef(*ref) if ref[0] else None for ref in _REF.iter_unpack(payload))
