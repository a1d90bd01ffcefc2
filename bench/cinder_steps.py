# SPDX-License-Identifier: Apache-2.0
"""The steps of Cinder's own drivers, with a database of its own and no service around it."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager, contextmanager
from io import FileIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cinder import context, objects, rpc

objects.register_all()

from cinder.backup.drivers import ceph, posix  # noqa: E402 - they need the objects
from oslo_config import cfg  # noqa: E402

from bench.measuring.latency import SlowFile, slow_down, slow_open  # noqa: E402
from bench.measuring.process import Measured  # noqa: E402
from tests.fixtures.cinder.environment import configure, database_template  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONFIGURATION = """\
[DEFAULT]
state_path = {folder}
transport_url = fake:/
backup_posix_path = {folder}/store
backup_compression_algorithm = {compression}
backup_ceph_conf = {folder}/ceph/ceph.conf
[database]
connection = sqlite:///{folder}/cinder.sqlite
sqlite_synchronous = false
[oslo_concurrency]
lock_path = {folder}
"""


GIB = 1 << 30
RBD = "ceph-rbd"
"""Cinder's Ceph driver, for a volume that is in Ceph too."""


def back_up(
    folder: Path, image: Path, step: str, peer: str, *, latency: float = 0.0
) -> dict[str, Any]:
    """Take one backup of the chain in ``folder``."""

    @contextmanager
    def opened(_volume: Any) -> Iterator[FileIO]:
        with _opened(image, "rb", latency) as file:
            yield file

    return take(folder, image, step, peer, opened, gib=_gib(image), latency=latency)


def take(
    folder: Path,
    image: Path,
    step: str,
    peer: str,
    opened: Callable[[Any], AbstractContextManager[Any]],
    *,
    gib: int,
    latency: float = 0.0,
) -> dict[str, Any]:
    """Take one backup of the chain in ``folder``.

    :param image: memory is made ready for one of its size.
    :param opened: opens what Cinder would pass, from its record of the volume.
    :param gib: size of the volume; only the first step needs it.
    """
    if step == "full":
        (folder / "store").mkdir()
        # Outside the measurement, where the next step finds it.
        shutil.copyfile(database_template(folder.parent), folder / "cinder.sqlite")
    with _cinder(folder, peer) as ctxt:
        parent = None
        if step == "full":
            volume = objects.Volume(ctxt, size=gib, status="available", host="h@b#p")
            volume.create()
        else:
            parent = _newest(ctxt)
            volume = objects.Volume.get_by_id(ctxt, parent.volume_id)
        backup = objects.Backup(
            ctxt,
            volume_id=volume.id,
            size=volume.size,
            parent_id=None if parent is None else parent.id,
            status="creating",
            user_id="user",
            project_id="project",
            host="h",
            fail_reason="",
        )
        backup.create()
        driver = _driver(peer, ctxt, image, latency)
        with opened(volume) as source:
            measured = Measured(image)
            updates = driver.backup(backup, source, backup_metadata=False)
            found = measured.so_far()
        backup.update(updates or {})
        backup.status = "available"
        backup.save()
        return found


def _newest(ctxt: Any) -> Any:
    """The end of the chain: the only backup that is not a parent."""
    backups = objects.BackupList.get_all(ctxt)
    parents = {backup.parent_id for backup in backups}
    (newest,) = (backup for backup in backups if backup.id not in parents)
    return newest


def restore(folder: Path, target: Path, peer: str, *, latency: float = 0.0) -> dict[str, Any]:
    """Restore the last backup of the chain onto an empty volume."""
    with _cinder(folder, peer) as ctxt:
        backup = _newest(ctxt)
        backup.status = "restoring"
        backup.save()
        driver = _driver(peer, ctxt, target, latency)
        with _opened(target, "r+b", latency) as file:
            measured = Measured(target)
            driver.restore(backup, backup.volume_id, file, volume_is_new=True)
            return measured.so_far()


def _gib(image: Path) -> int:
    size = image.stat().st_size
    return 1 if size % GIB else size // GIB


def _opened(path: Path, mode: str, latency: float) -> FileIO:
    return SlowFile(path, mode, latency) if latency else FileIO(path, mode)


def _driver(peer: str, ctxt: Any, image: Path, latency: float) -> Any:
    if peer == RBD:
        return ceph.CephBackupDriver(ctxt)
    if peer != "ceph":
        if latency:
            slow_down(latency)
            # The name by which it opens what it keeps.
            setattr(posix, "open", slow_open(latency))  # noqa: B010 - it has none of its own
        return posix.PosixBackupDriver(ctxt)
    # It copies as many GiB as the record says, and would copy zeros that no image contains.
    ceph.units = SimpleNamespace(Gi=image.stat().st_size // _gib(image))
    return ceph.CephBackupDriver(ctxt)


@contextmanager
def _cinder(folder: Path, peer: str) -> Iterator[Any]:
    path = folder / "cinder.conf"
    compression = peer.removeprefix("posix-") if peer.startswith("posix-") else "none"
    path.write_text(CONFIGURATION.format(folder=folder, compression=compression))
    undo = configure(path)
    try:
        rpc.init(cfg.CONF)
        yield context.RequestContext("user", "project", is_admin=True)
    finally:
        undo()
