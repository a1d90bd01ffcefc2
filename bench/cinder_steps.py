# SPDX-License-Identifier: Apache-2.0
"""The steps of Cinder's own drivers, with a database of its own and no service around it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cinder import context, objects, rpc

objects.register_all()

from cinder.backup.drivers import ceph, posix  # noqa: E402 - they need the objects
from oslo_config import cfg  # noqa: E402

from bench.process import Measured  # noqa: E402
from tests.fixtures.cinder_environment import configure, database_template  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def back_up(folder: Path, image: Path, step: str, peer: str) -> dict[str, Any]:
    """Take one backup of the chain in ``folder``."""
    if step == "full":
        (folder / "store").mkdir()
        # Beside what is measured, where the next one finds it.
        shutil.copyfile(database_template(folder.parent), folder / "cinder.sqlite")
    with _cinder(folder, peer) as ctxt:
        gib = _gib(image)
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
            size=gib,
            parent_id=None if parent is None else parent.id,
            status="creating",
            user_id="user",
            project_id="project",
            host="h",
            fail_reason="",
        )
        backup.create()
        driver = _driver(peer, ctxt, image)
        with image.open("rb", buffering=0) as source:
            measured = Measured(image)
            driver.backup(backup, source, backup_metadata=False)
            found = measured.so_far()
        backup.status = "available"
        backup.save()
        return found


def _newest(ctxt: Any) -> Any:
    """The end of the chain: the one backup that is nobody's parent."""
    backups = objects.BackupList.get_all(ctxt)
    parents = {backup.parent_id for backup in backups}
    (newest,) = (backup for backup in backups if backup.id not in parents)
    return newest


def restore(folder: Path, target: Path, peer: str) -> dict[str, Any]:
    """Restore the last backup of the chain onto an empty volume."""
    with _cinder(folder, peer) as ctxt:
        backup = _newest(ctxt)
        backup.status = "restoring"
        backup.save()
        driver = _driver(peer, ctxt, target)
        with target.open("r+b", buffering=0) as file:
            measured = Measured(target)
            driver.restore(backup, backup.volume_id, file, volume_is_new=True)
            return measured.so_far()


def _gib(image: Path) -> int:
    size = image.stat().st_size
    return 1 if size % GIB else size // GIB


def _driver(peer: str, ctxt: Any, image: Path) -> Any:
    if peer != "ceph":
        return posix.PosixBackupDriver(ctxt)
    # It copies as many GiB as Cinder has on record, and would copy zeros that no image holds.
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
