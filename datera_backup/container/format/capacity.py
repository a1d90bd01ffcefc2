# SPDX-License-Identifier: Apache-2.0
"""How much space a backup needs in the worst case."""

from __future__ import annotations

from datera_backup.container.format.geometry import (
    ALIGNMENT,
    AREA_END,
    AREA_SIZE,
    DEFAULT_SEGMENT_SIZE,
    DIGEST_SIZE,
    PAGE_ALIGNMENT,
    RECORD_HEADER_SIZE,
    Geometry,
    padded,
)
from datera_backup.container.format.index import FAN_OUT, REF_SIZE
from datera_backup.container.format.segment import ROW_SIZE, ZEROED_SIZE

_MANIFEST_ROW = 1 + 2 + 8 + 4 + DIGEST_SIZE
_UUID_SIZE = 16
_TABLE_ALLOWANCE = 256 * _UUID_SIZE


def worst_case(
    source_size: int, geometry: Geometry, *, segment_size: int = DEFAULT_SEGMENT_SIZE
) -> int:
    """Return the bytes of the log that a backup needs at most.

    That is a full one of incompressible data, or an incremental where all has changed, whose chain
    spans at most 256 containers.

    :param segment_size: the same as is given to ``Container.begin``.
    """
    blocks = geometry.blocks(source_size)
    chunks = geometry.chunks(source_size)
    room = segment_room(segment_size, geometry) - geometry.block_size
    segments = min(blocks, source_size // room + chunks) if room > 0 else blocks
    log = source_size + segments * (RECORD_HEADER_SIZE + ALIGNMENT) + blocks * ROW_SIZE
    # Each block of a chunk may have become zero where its neighbours have not.
    log += blocks * ZEROED_SIZE
    per_record = RECORD_HEADER_SIZE + PAGE_ALIGNMENT + ALIGNMENT
    manifests = blocks * _MANIFEST_ROW + chunks * (per_record + 16 + _TABLE_ALLOWANCE)
    pages = 2 * chunks // FAN_OUT + 8
    metadata = manifests + pages * (per_record + FAN_OUT * REF_SIZE) + AREA_SIZE
    # An area is left when the next record does not fit into it: it is half full at least.
    areas = 2 * metadata // AREA_SIZE + 2
    return padded(log + areas * AREA_END)


def segment_room(segment_size: int, geometry: Geometry) -> int:
    """Return the bytes of blocks that a segment takes: always one block at least."""
    return max(segment_size - RECORD_HEADER_SIZE, geometry.block_size)
