# SPDX-License-Identifier: Apache-2.0
"""Volumes in Ceph: librbd images, as Cinder hands them over, wrapped by os-brick.

Nothing of Ceph is imported: its bindings may be missing, and an image is recognised by its methods.
"""

from datera_backup.engine.rbd.image import MOST_REQUESTS, RbdFile, RbdImage, is_rbd
from datera_backup.engine.rbd.sink import RbdSink
from datera_backup.engine.rbd.source import RbdSource

__all__ = ["MOST_REQUESTS", "RbdFile", "RbdImage", "RbdSink", "RbdSource", "is_rbd"]
