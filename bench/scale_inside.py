# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.scale_inside FOLDER VOLUMES AT_ONCE PORT PID WHERE``: many small backups.

With WHERE not empty, it is found out where the processor time goes.
"""

from __future__ import annotations

from tests.fixtures.cinder.patching import patch

patch()

import functools  # noqa: E402 - patched first, as Cinder's commands do it
import json  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from contextlib import nullcontext  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import eventlet  # noqa: E402
import sqlalchemy  # noqa: E402
from cinder import objects  # noqa: E402
from cinder.db import api as db  # noqa: E402
from oslo_messaging.notify import _impl_test as notifications  # noqa: E402

objects.register_all()

from bench.measuring.process import Measured, highest_memory, processor_of  # noqa: E402
from bench.measuring.sampling import Sampler  # noqa: E402
from bench.scale import ARRAY, PHASES, TENTHS  # noqa: E402
from bench.service_inside import OPTIONS  # noqa: E402
from datera_emulator.remote_control import RemoteControl  # noqa: E402
from datera_emulator.target import brick  # noqa: E402
from tests.fixtures.cinder import file_volume  # noqa: E402
from tests.fixtures.cinder.service import CinderService  # noqa: E402

QUOTAS = ("volumes", "gigabytes", "backups", "backup_gigabytes")
BLOCK = 64 * 2**10
BETWEEN = 64 * 2**20
BLOCKS = 4
"""Blocks in each volume; one of them changes before the incremental backup."""


class Bill:
    """Counts the costs from here on: requests, database statements, and the two processes."""

    def __init__(self, array: Path, pid: int, *, where: bool) -> None:
        self._where = where
        self._array, self._pid = RemoteControl.of_state(array), pid
        self.statements = 0
        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", self._count)

    def _count(self, *_: Any) -> None:
        self.statements += 1

    def of(self, action: Callable[[], None], backups: int) -> dict[str, Any]:
        """Return the action's cost per backup, and its peak memory."""
        kinds, processor = self._requests(), processor_of(self._pid)
        self.statements, measured = 0, Measured()
        sampler = Sampler()
        with sampler if self._where else nullcontext():
            action()
        taken = measured.so_far()
        charged = self._requests() - kinds
        return {
            "seconds": taken["seconds"] / backups,
            "processor": taken["processor"] / backups,
            "emulator_processor": (processor_of(self._pid) - processor) / backups,
            "requests": charged.total() / backups,
            "kinds": {kind: times / backups for kind, times in charged.items()},
            "statements": self.statements / backups,
            "memory": highest_memory(),
            "where": [[*work, used / backups] for work, used in sampler.seconds.items()],
        }

    def _requests(self) -> Counter[str]:
        return Counter(self._array.ask("GET", "status")["requests_by_kind"])


def _lift_quotas(context: Any) -> None:
    known = db.quota_class_get_defaults(context)
    for quota in QUOTAS:
        write = db.quota_class_update if quota in known else db.quota_class_create
        write(context, "default", quota, -1)


def main(arguments: Sequence[str]) -> None:
    """Measure, and print what was found as one line of JSON."""
    folder, count, at_once = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    port, pid, where = arguments[3], int(arguments[4]), bool(arguments[5])
    brick.install("iqn.1993-08.org.debian:01:bench")
    # Here a volume is as large as it says; what is not written takes no room.
    file_volume.SIZE_OF_A_GIB = 2**30
    chance, pool = random.Random(1), eventlet.GreenPool(at_once)
    with CinderService(
        folder, template_folder=folder.parent, defaults=OPTIONS.format(port=port)
    ) as cloud:
        _lift_quotas(cloud.context)
        volumes = _volumes(cloud, count)
        bill = Bill(folder / ARRAY, pid, where=where)
        found: dict[str, list[dict[str, Any]]] = {phase: [] for phase in PHASES}
        for phase in PHASES:
            incremental = phase == "incremental"
            for volume in volumes:
                for number in range(1 if incremental else BLOCKS):
                    cloud.write(volume, number * BETWEEN, chance.randbytes(BLOCK))
            back_up = functools.partial(_back_up, cloud, incremental)
            for tenth in range(TENTHS):
                share = volumes[count * tenth // TENTHS : count * (tenth + 1) // TENTHS]
                work = functools.partial(_each, pool, back_up, share)
                found[phase].append(bill.of(work, len(share)))
                # The tests' driver keeps what Cinder tells others; a service lets it go.
                notifications.reset()
                # For whoever cannot wait for the end.
                (folder / "found.json").write_text(json.dumps(found))
        for failure in cloud.failures:
            raise failure
    print(json.dumps(found))


def _volumes(cloud: CinderService, count: int) -> list[Any]:
    """Return new volumes; their records are copies of the first's, which Cinder has made."""
    made = [cloud.create_volume(1)]
    fields = ("size", "status", "attach_status", "host", "volume_type_id", "availability_zone")
    same = {name: made[0][name] for name in (*fields, "project_id", "user_id")}
    while len(made) < count:
        volume = objects.Volume(cloud.context, **same)
        volume.create()
        cloud.volume_manager.driver.create_volume(volume)
        made.append(volume)
    return made


def _back_up(cloud: CinderService, incremental: bool, volume: Any) -> None:
    backup = cloud.create_backup(volume, incremental=incremental)
    if backup.status != "available":
        raise RuntimeError(backup.fail_reason)


def _each(pool: Any, action: Callable[[Any], None], subjects: Sequence[Any]) -> None:
    for _ in pool.imap(action, subjects):
        pass


if __name__ == "__main__":
    main(sys.argv[1:])
