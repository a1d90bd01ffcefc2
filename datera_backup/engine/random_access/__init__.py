# SPDX-License-Identifier: Apache-2.0
"""Reading any range of a backup, without restoring it."""

from datera_backup.engine.random_access.reading import RandomAccess

__all__ = ["RandomAccess"]
