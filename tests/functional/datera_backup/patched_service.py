# SPDX-License-Identifier: Apache-2.0
"""A Cinder under eventlet's monkey patching, as cinder-backup runs: a chain goes there and back.

Started by :mod:`test_patched` with a folder, the one of templates, and the lines of
``[DEFAULT]``; prints one JSON line.
"""

from __future__ import annotations

from tests.fixtures.patching import is_patched, patch

patch()

import json  # noqa: E402 - patched first, as Cinder's commands do it
import random  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import eventlet  # noqa: E402
from cinder import objects  # noqa: E402

objects.register_all()

from datera_emulator import brick  # noqa: E402
from tests.fixtures.cinder_service import CinderService  # noqa: E402
from tests.fixtures.host_connectors import look_for_iscsi_alone  # noqa: E402

MIB = 2**20


class Heart:
    """Beats in a green thread, and knows the longest time that it could not."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.beats = 0
        eventlet.spawn(self._beat)

    def _beat(self) -> None:
        last = time.monotonic()
        while True:
            eventlet.sleep(0.005)
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            self.beats += 1
            last = now


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
