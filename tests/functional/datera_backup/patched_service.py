# SPDX-License-Identifier: Apache-2.0
"""A Cinder under eventlet's monkey patching, as cinder-backup runs: a chain goes there and back.

Started by :mod:`test_monkey_patching` with a folder, the one of templates, and the lines of
``[DEFAULT]``; prints one JSON line.
"""

from __future__ import annotations

from tests.fixtures.cinder.patching import is_patched, patch

patch()

import json  # noqa: E402 - patched first, as Cinder's commands do it
import random  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import eventlet  # noqa: E402
from cinder import objects  # noqa: E402
from eventlet import patcher  # noqa: E402

objects.register_all()

from datera_emulator.target import brick  # noqa: E402
from tests.fixtures.cinder.host_connectors import look_for_iscsi_alone  # noqa: E402
from tests.fixtures.cinder.service import CinderService  # noqa: E402

MIB = 2**20
PAUSE = 0.005


class Heart:
    """Beats in a green thread, and knows the longest time that it could not.

    :ivar longest: in ticks of a native thread, which comes to its turn as rarely as this one does
        where the machine is busy with something else.
    :ivar busiest: in seconds of the processor, of which a native thread sees nothing while the
        interpreter's lock is held.
    """

    def __init__(self) -> None:
        self.longest = 0
        self.busiest = 0.0
        self.beats = 0
        self._ticks = 0
        threading = patcher.original("threading")
        threading.Thread(target=self._tick, daemon=True).start()
        eventlet.spawn(self._beat)

    def _tick(self) -> None:
        sleep = patcher.original("time").sleep
        while True:
            sleep(PAUSE)
            self._ticks += 1

    def _beat(self) -> None:
        last, worked = self._ticks, time.thread_time()
        while True:
            eventlet.sleep(PAUSE)
            self.longest = max(self.longest, self._ticks - last)
            self.busiest = max(self.busiest, time.thread_time() - worked)
            self.beats += 1
            last, worked = self._ticks, time.thread_time()


def back_up_and_restore(cloud: CinderService) -> dict[str, Any]:
    """Take a full backup and an incremental at once with another volume's, and restore them."""
    volumes = [cloud.create_volume(4, name=str(number)) for number in range(2)]
    for number, volume in enumerate(volumes):
        cloud.write(volume, 0, random.Random(number).randbytes(32 * MIB))
    heart = Heart()
    fulls = [eventlet.spawn(cloud.create_backup, volume) for volume in volumes]
    states = [full.wait().status for full in fulls]
    for failure in cloud.failures:
        raise failure  # which would only be met later, as something that it led to
    beats = heart.beats
    cloud.write(volumes[0], 5 * MIB, b"changed")
    second = cloud.create_backup(volumes[0], incremental=True)
    dirty = cloud.create_volume(4, name="dirty")
    cloud.write(dirty, 0, b"dirt" * MIB)
    same = cloud.first_difference(cloud.restore_backup(second, dirty), volumes[0]) is None
    for backup in (second, *(full.wait() for full in fulls)):
        cloud.delete_backup(backup)
    return {
        "states": [*states, second.status],
        "same": same,
        "beats": beats,
        "longest": heart.longest,
        "busiest": heart.busiest,
        "failures": [str(failure) for failure in cloud.failures],
    }


def main() -> None:
    """Run it."""
    assert is_patched()
    directory, templates, defaults = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    look_for_iscsi_alone()
    brick.install("iqn.1993-08.org.debian:01:testhost")
    with CinderService(directory, template_folder=templates, defaults=defaults) as cloud:
        found = back_up_and_restore(cloud)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
