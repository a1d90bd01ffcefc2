# SPDX-License-Identifier: Apache-2.0
"""Cinder's Ceph driver: what it stores in a pool, and what it refuses.

A backup is an image of its own (``volume-V.backup.B``), or a snapshot (``backup.B.snap.TIME``) of
the image that its chain shares, whose name is in the record or ``volume-V.backup.base``; and
an object with the volume's metadata (``backup.B.meta``). Backups of snapshots of volumes that are
not on RBD are the shared image itself, without a snapshot: only the metadata identifies them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from backup_dispatch.drivers.families import is_ceph
from backup_dispatch.drivers.native import in_native_threads
from backup_dispatch.errors import ParentRefused


class CephAdapter:
    """An adapter that offers capabilities for Cinder's Ceph driver.

    :param driver: an object of it, or its class for :meth:`may_hold` alone.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    @property
    def container(self) -> str | None:
        """The pool of backups for which the user specified no container."""
        pool: str | None = self._driver._ceph_backup_pool
        return pool

    @staticmethod
    def may_hold(backup: Any) -> bool:
        """Whether the record names a pool: the driver saves it before it writes the first byte."""
        return bool(backup.container)

    def holds(self, backup: Any) -> bool | None:
        """Whether the record's pool has anything of this backup.

        :returns: None if there is an image that may be this backup's or another's.
        :raises Exception: whatever Ceph's client raises.
        """
        return pool_has(self._driver, backup)

    def volume_metadata(self, backup: Any) -> str | None:
        """The object with the volume's metadata.

        :raises Exception: whatever Ceph's client raises.
        """
        name = f"backup.{backup.id}.meta"
        with _pool(self._driver, backup.container) as pool:
            if pool is None or not _object_exists(self._driver, pool, name):
                return None
            stored = in_native_threads(self._driver.rados.Object(pool, name))
            size, _ = stored.stat()
            return bytes(stored.read(size)).decode()


def refuse_incremental_of_others(driver: Any, backup: Any, volume_file: Any, name: str) -> None:
    """Refuse what the driver would refuse without a reason: it can only diff RBD images.

    :param name: the backend's.
    :raises ParentRefused: an incremental backup of a volume that is not on RBD.
    """
    on_rbd = hasattr(volume_file, "rbd_image")
    if is_ceph(driver) and backup.parent_id and not backup.snapshot_id and not on_rbd:
        raise ParentRefused(
            f"Backend {name} makes incremental backups only of volumes on RBD, and volume "
            f"{backup.volume_id} is not. Make a full backup."
        )


def pool_has(driver: Any, backup: Any) -> bool | None:
    """Whether the record's pool has anything of this backup.

    :param driver: a driver object of Cinder's Ceph driver.
    :returns: None if there is an image that may be this backup's or another's.
    :raises Exception: whatever Ceph's client raises.
    """
    with _pool(driver, backup.container) as pool:
        return False if pool is None else _has(driver, pool, backup)


@contextmanager
def _pool(driver: Any, name: str) -> Iterator[Any]:
    """The pool of that name, or None if the cluster has none.

    Uses the driver's own pool: a client that cannot reach its cluster reports "not found" as well.
    """
    client, own = driver._connect_to_rados()
    try:
        if not client.pool_exists(name):
            yield None
            return
        with closing(client.open_ioctx(name)) as pool:
            yield pool
    finally:
        driver._disconnect_from_rados(client, own)


def _has(driver: Any, pool: Any, backup: Any) -> bool | None:
    images = set(in_native_threads(driver.rbd.RBD()).list(pool))
    if f"volume-{backup.volume_id}.backup.{backup.id}" in images:
        return True
    if _object_exists(driver, pool, f"backup.{backup.id}.meta"):
        return True
    old_shared = driver._get_backup_base_name(backup.volume_id)
    shared = {_shared_image(driver, backup), old_shared} & images
    snapshots = {name: _backups_with_snapshots(driver, pool, name) for name in shared}
    if any(backup.id in ids for ids in snapshots.values()):
        return True
    return None if backup.snapshot_id and snapshots.get(old_shared) == set() else False


def _shared_image(driver: Any, backup: Any) -> str | None:
    """The image that the backup's chain shares; None if the record is another driver's."""
    if backup.service_metadata:
        try:
            base: str = json.loads(backup.service_metadata)["base"]
        except (KeyError, TypeError, ValueError):
            return None
        return base
    name: str = driver._get_backup_base_name(backup.volume_id, backup=backup)
    return name


def _object_exists(driver: Any, pool: Any, name: str) -> bool:
    try:
        in_native_threads(driver.rados.Object(pool, name)).stat()
    except driver.rados.ObjectNotFound:
        return False
    return True


def _backups_with_snapshots(driver: Any, pool: Any, image: str) -> set[str]:
    with closing(in_native_threads(driver.rbd.Image(pool, image, read_only=True))) as opened:
        return {one["backup_id"] for one in driver.get_backup_snaps(opened)}
