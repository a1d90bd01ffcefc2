# SPDX-License-Identifier: Apache-2.0
"""Which records a Cinder without the dispatcher would take for its own."""

from __future__ import annotations

from types import SimpleNamespace

from cinder.backup import manager


def would_own(driver: str, service: str | None) -> bool:
    """Whether vanilla Cinder accepts a record.

    Cinder's own code decides, as the release that is installed here has it.

    :param driver: the class path in ``backup_driver``.
    :param service: ``backup.service`` of the record.
    """
    configured = SimpleNamespace(driver_name=driver)
    return bool(manager.BackupManager._is_our_backup(configured, service or ""))
