# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.service_inside FOLDER SIZE PORT``: a Cinder under eventlet takes backups."""

from __future__ import annotations

from tests.fixtures.cinder.patching import patch

patch()

import json  # noqa: E402 - patched first, as Cinder's commands do it
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import eventlet  # noqa: E402
from cinder import objects  # noqa: E402

objects.register_all()

from bench.measuring import image  # noqa: E402
from bench.measuring.process import make_memory_ready  # noqa: E402
from bench.suite import SEED_OF_IMAGE  # noqa: E402
from datera_backup.operations import create_backup, progress, restore_backup  # noqa: E402
from datera_emulator.target import brick  # noqa: E402
from tests.fixtures.cinder.file_volume import SIZE_OF_A_GIB  # noqa: E402
from tests.fixtures.cinder.service import CinderService  # noqa: E402

BEAT = 0.005

OPTIONS = """\
backup_driver = datera_backup.driver.DateraBackupDriver
backup_datera_san_ip = 127.0.0.1
backup_datera_san_login = admin
backup_datera_san_password = password
backup_datera_api_port = {port}
"""


class Heart:
    """Ticks in a green thread, and records the worst delay of a tick."""

    def __init__(self) -> None:
        self.stall = 0.0
        eventlet.spawn(self._beat)

    def _beat(self) -> None:
        while True:
            before = time.monotonic()
            eventlet.sleep(BEAT)
            self.stall = max(self.stall, time.monotonic() - before - BEAT)


class Engine:
    """Replaces the function that starts the driver's jobs, and measures their time."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self.seconds = 0.0

    def __call__(self, *job: Any) -> Any:
        """Run a job as the driver would."""
        begin = time.monotonic()
        try:
            return self._run(*job)
        finally:
            self.seconds += time.monotonic() - begin


def main(arguments: Sequence[str]) -> None:
    """Measure, and print what was found as one line of JSON."""
    folder, size, port = Path(arguments[0]), int(arguments[1]), arguments[2]
    brick.install("iqn.1993-08.org.debian:01:bench")
    engine = Engine(progress.run)
    for user in (create_backup, restore_backup):
        setattr(user, "run", engine)  # noqa: B010 - it is not theirs, but they call it
    with CinderService(
        folder, template_folder=folder.parent, defaults=OPTIONS.format(port=port)
    ) as cloud:
        volumes = [cloud.create_volume(size // SIZE_OF_A_GIB, name=name) for name in ("a", "b")]
        source = folder / "volumes" / volumes[0].id
        image.make(source, size, SEED_OF_IMAGE)
        heart, backups, found = Heart(), [], {}

        def measured(action: Callable[[], Any]) -> dict[str, float]:
            make_memory_ready(source)
            engine.seconds = heart.stall = 0.0
            begin = time.monotonic()
            backups.append(action())
            seconds = time.monotonic() - begin
            return {"seconds": seconds, "around": seconds - engine.seconds, "stall": heart.stall}

        found["full"] = measured(lambda: cloud.create_backup(volumes[0]))
        found["incremental"] = measured(lambda: cloud.create_backup(volumes[0], incremental=True))
        found["restore"] = measured(lambda: cloud.restore_backup(backups[1], volumes[1]))
        for failure in cloud.failures:
            raise failure
        if any(backup.status != "available" for backup in backups[:2]):
            raise RuntimeError([backup.fail_reason for backup in backups[:2]])
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
