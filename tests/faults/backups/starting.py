# SPDX-License-Identifier: Apache-2.0
"""Starts a stage: a Cinder and a cluster, in which only time is mocked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.faults.backups.stage import PATIENCE, WEST, Stage
from tests.faults.backups.volume import BLOCK, BLOCKS
from tests.fixtures.datera.one_container import MINE


class AllUp:
    """In place of the checks of backends: each of them is up."""

    def require(self, _name: str) -> None:
        """Find nothing wrong."""


@contextmanager
def staged(folder: Path, template_folder: Path) -> Iterator[Stage]:
    """Start a cluster and a Cinder for many operations, in which only time is mocked."""
    from backup_dispatch.process import Process, this_process
    from datera_backup.container import Container
    from datera_backup.operations import progress, volumes
    from datera_backup.storage import attachments, backend, locks
    from datera_volume.connection import Cluster
    from tests.fixtures.cinder.service import CinderService

    with ExitStack() as running:
        enter = running.enter_context
        emulator = enter(Emulator(state_dir=folder / "array"))
        brick.install(MINE)
        running.callback(brick.uninstall)
        service = enter(
            CinderService(
                folder,
                template_folder=template_folder,
                defaults=options(emulator),
                sections=f"[{WEST}]\nbackup_driver = datera\nbackup_datera_tenant_id = {WEST}\n",
            )
        )
        running.callback(backend.forget_backends)
        # Nothing is asked of the cluster beside what a test does, such as whether it is up.
        this_process().stop_checking()
        enter(mock.patch.object(Process, "health", return_value=AllUp()))
        enter(mock.patch.object(volumes, "BYTES_PER_GIB", BLOCK * BLOCKS))
        stage = Stage(service, emulator)
        clock, sleep = stage.time.now, stage.time.sleep
        enter(
            mock.patch.object(
                backend,
                "Cluster",
                partial(Cluster, session=stage.session, sleep=sleep, clock=clock),
            )
        )
        backend.forget_backends()
        enter(mock.patch.object(attachments.Attachments.__init__, "__kwdefaults__", timed(stage)))
        enter(mock.patch.object(locks.CloudLock.acquire, "__kwdefaults__", timed(stage)))
        # A slow machine would look at the record once more.
        enter(mock.patch.object(progress.run, "__defaults__", (PATIENCE,)))
        # What each failure logs would take most of the time.
        logging.disable(logging.CRITICAL)
        running.callback(logging.disable, logging.NOTSET)
        # So that containers have the same bytes when the same was done.
        now = datetime(2026, 1, 1, tzinfo=timezone.utc)
        for begin in (Container.format, Container.open):
            defaults = getattr(begin, "__func__").__kwdefaults__  # noqa: B009 -- a bound method's
            enter(mock.patch.dict(defaults, clock=lambda: now))
        yield stage


def timed(stage: Stage) -> dict[str, Any]:
    """What a function takes for its sleep and its clock if it is not told."""
    return {"sleep": stage.time.sleep, "clock": stage.time.now}


def options(emulator: Emulator) -> str:
    """Lines of ``[DEFAULT]``: one thread of each kind, so that each run takes the same steps.

    What a starting service resumes, it does before anything else, and not beside it.
    """
    return f"""\
backup_driver = backup_dispatch.driver.BackupDispatcher
enabled_backup_backends = datera, {WEST}
backup_datera_san_ip = 127.0.0.1
backup_datera_san_login = {emulator.username}
backup_datera_san_password = {emulator.password}
backup_datera_api_port = {emulator.http_port}
backup_datera_use_ssl = false
backup_datera_503_timeout = 2
backup_datera_503_interval = 1
backup_datera_workers = 1
backup_datera_requests = 1
backup_service_inithost_offload = false
"""
