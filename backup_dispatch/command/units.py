# SPDX-License-Identifier: Apache-2.0
"""Human-readable bytes; it imports nothing, so that any command can use it."""

from __future__ import annotations

_STEP = 1024


def in_units(size: float) -> str:
    """Bytes with a unit that keeps the number short: ``1.4 GiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < _STEP:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= _STEP
    return f"{size:.1f} TiB"
