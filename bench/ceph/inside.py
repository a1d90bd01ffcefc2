# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.ceph.inside DRIVER STEP FOLDER VOLUME IMAGE``: one step with a volume in Ceph.

In FOLDER are the cluster, and for each driver and volume what it stores. IMAGE is the file that the
volume is made from.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench.ceph.images import Pool, fill, holds


def main(arguments: Sequence[str]) -> None:
    """Do it, and print what was found as one line of JSON."""
    driver, step, folder, volume, image = arguments
    do = {"make": _make, "datera": _datera, "ceph": _ceph}[driver]
    pool = Pool(Path(folder) / "ceph" / "ceph.conf")
    print(json.dumps(do(pool, step, Path(folder), volume, Path(image))))


def _make(pool: Pool, size: str, _folder: Path, volume: str, image: Path) -> dict[str, Any]:
    pool.create(volume, int(size))
    with pool.opened(volume) as file:
        fill(file.rbd_image, image)
    return {}


def _datera(pool: Pool, step: str, folder: Path, volume: str, image: Path) -> dict[str, Any]:
    from bench import datera_steps
    from datera_backup.engine import open_sink, open_source

    store = folder / f"datera-{volume}"
    if step != "restore":
        store.mkdir(exist_ok=True)
        with pool.opened(volume) as file:
            return datera_steps.take(store, open_source(file), step, image)
    with pool.opened(volume) as file:
        size = file.rbd_image.size()
    restored = f"{volume}-restored"
    pool.create(restored, size)
    with pool.opened(restored) as file:
        found = datera_steps.give_back(store, open_sink(file), image)
        if not holds(file.rbd_image, image):
            raise RuntimeError(f"the restored {volume} is not what was backed up")
        return found


def _ceph(pool: Pool, step: str, folder: Path, volume: str, image: Path) -> dict[str, Any]:
    from bench import cinder_steps

    def opened(record: Any) -> AbstractContextManager[Any]:
        if step == "full":
            # The driver goes by the name that Cinder gives.
            pool.rename(volume, record.name)
        return pool.opened(record.name)

    gib = 0
    if step == "full":
        with pool.opened(volume) as file:
            gib = file.rbd_image.size() // cinder_steps.GIB
    return cinder_steps.take(folder, image, step, cinder_steps.RBD, opened, gib=gib)


if __name__ == "__main__":
    main(sys.argv[1:])
