# SPDX-License-Identifier: Apache-2.0
"""Reading a backup at any offset, whichever driver made it."""

from backup_dispatch.drivers.readers.opening import needs_scratch, open_reader

__all__ = ["needs_scratch", "open_reader"]
