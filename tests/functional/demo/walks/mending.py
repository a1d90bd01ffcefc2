# SPDX-License-Identifier: Apache-2.0
"""What troubleshooting says of backups that are stuck or have failed."""

from __future__ import annotations

from typing import Any

from tests.fixtures.pages.typed import words_of
from tests.functional.demo.walks.stage import Stage

VOLUME = "origin"


def troubleshooting(stage: Stage) -> None:
    """Type what ``troubleshooting`` has, each remedy for a backup that has that trouble."""
    walk, user = stage.walk("troubleshooting"), stage.user
    user.looks_away = True
    try:
        failed = broken(stage, status="error", fail_reason="Backup backend swift is down: why")
        assert "swift is down" in walk.type("fail_reason", BACKUP=failed)
        walk.type("check")
        walk.type("show", BACKUP=failed)
        user.type("volume", "backup", "delete", failed)

        stuck = broken(stage, status="creating")
        walk.type("--state error", BACKUP=stuck)
        walk.type("delete", BACKUP=stuck)
        walk.type("--state available", VOLUME=VOLUME)
        not_begun = broken(stage, status="creating", host=None, service=None)
        walk.type("delete --force", BACKUP=not_begun)

        given_up = broken(stage, status="error_deleting")
        walk.type("delete --force", BACKUP=given_up)
        given_up = broken(stage, status="error_deleting")
        walk.type("--state error", BACKUP=given_up)
        walk.type("delete", BACKUP=given_up)
        left = user.backups_by_id().keys()
        assert not left & {failed, stuck, not_begun, given_up}
        assert user.read(*words_of("openstack volume service list"))
    finally:
        user.looks_away = False
    walk.end()


def broken(stage: Stage, **columns: Any) -> str:
    """A backup whose record says this; its ID."""
    stage.user.type("volume", "backup", "create", "--name", "nightly", VOLUME)
    backup = stage.user.newest("nightly")
    stage.cloud.rewrite_backup(backup, **columns)
    return backup
