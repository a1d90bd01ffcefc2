# SPDX-License-Identifier: Apache-2.0
"""A backup as a file of a read-only filesystem."""

from backup_dispatch.jobs.mounting.filesystem import FILE, VolumeFilesystem
from backup_dispatch.jobs.mounting.fuse import MountRefused, require_mountable, serve

__all__ = ["FILE", "MountRefused", "VolumeFilesystem", "require_mountable", "serve"]
