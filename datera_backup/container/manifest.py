# SPDX-License-Identifier: Apache-2.0
"""A chunk's manifest: for each block whether it is zero, or where it lies."""

from __future__ import annotations


class ChunkMap:
    """A chunk's manifest, read."""
