# SPDX-License-Identifier: Apache-2.0
"""The target's driver, which is told of the volume as its backup knows it.

Drivers ask Cinder's database for the size of the volume, and for metadata to store. By the time of
the copy the volume may have been extended, renamed, or deleted and purged.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import oslo_messaging
from cinder import exception, objects, rpc, utils
from oslo_config import cfg
from oslo_utils import units

from backup_dispatch.drivers import new_volumes
from backup_dispatch.drivers.families import is_ceph
from backup_dispatch.drivers.interface import SupportsVolumeMetadata
from backup_dispatch.drivers.offers import offered

CONF = cfg.CONF


def volume_metadata(driver: Any, backup: Any) -> str | None:
    """What the backup says of its volume; where its driver cannot tell, what Cinder says today.

    :param driver: the source's.
    :raises Exception: whatever the driver raises.
    """
    teller = offered(driver, SupportsVolumeMetadata)
    if teller is not None:
        return teller.volume_metadata(backup)
    try:
        today: str | None = driver.get_metadata(backup.volume_id)
    except exception.VolumeNotFound:
        return None
    return today


def size_for(driver: Any, backup: Any) -> int:
    """The bytes that the target's driver demands of a volume at least.

    A snapshot may be smaller than the volume was when it was backed up. Ceph's driver makes an
    image of the size in the record, and reads until it is full.
    """
    return int(backup.size) * units.Gi if is_ceph(driver) else 0


def snapshot_for(driver: Any, backup: Any) -> str | None:
    """The snapshot that the copy's record names.

    In Ceph all backups of snapshots of a volume would have one image's name: the second fails.
    """
    return None if is_ceph(driver) else backup.snapshot_id


def prepare(driver: Any, backup: Any, metadata: str | None) -> None:
    """Let a driver object of the target back this volume up, and no other.

    :param metadata: what it stores of the volume.
    """
    driver.get_metadata = lambda _volume_id: metadata
    driver.db = _Database(driver.db, _VolumeThen(driver.context, backup))
    if hasattr(driver, "enable_progress_timer"):
        # An error of a chunked driver would leave it running.
        driver.enable_progress_timer = False
    if is_ceph(driver) and new_volumes.may_be_told(driver, backup, None):
        # Its image is new, and zeros are what a new one has: they would fill the pool.
        driver._transfer_data = partial(driver._transfer_data, discard_zeros=True)
    if rpc.NOTIFIER is None:
        _send_no_notifications()


def _send_no_notifications() -> None:
    """A copy is the operator's work: no user waits for news of it, and there may be no bus."""
    # Cinder asks for options that only a transport registers; this one goes nowhere.
    oslo_messaging.get_notification_transport(CONF, url="fake:/")
    rpc.NOTIFIER = utils.DO_NOTHING


class _Database:
    """Cinder's database, with one volume as it was."""

    def __init__(self, database: Any, volume: _VolumeThen) -> None:
        self._database = database
        self._volume = volume

    def volume_get(self, context: Any, volume_id: str) -> Any:
        """The volume's record."""
        if volume_id == self._volume.id:
            return self._volume
        return self._database.volume_get(context, volume_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class _VolumeThen:
    """A volume's record, with the size that it had when it was backed up."""

    def __init__(self, context: Any, backup: Any) -> None:
        self.id = backup.volume_id
        self.size = backup.size
        self.name = f"volume-{backup.volume_id}"
        try:
            self._now = objects.Volume.get_by_id(
                context.elevated(read_deleted="yes"), backup.volume_id
            )
        except exception.VolumeNotFound:
            self._now = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._now is None:
            raise AttributeError(f"nothing is known of the volume's {name}")
        return getattr(self._now, name)

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self, name)
        except AttributeError as unknown:
            raise KeyError(name) from unknown

    def get(self, name: str, default: Any = None) -> Any:
        """As of a dictionary."""
        return getattr(self, name, default)
