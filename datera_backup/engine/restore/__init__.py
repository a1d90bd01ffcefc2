# SPDX-License-Identifier: Apache-2.0
"""Restoring a backup, or only verifying it."""

from datera_backup.engine.restore.batch import Damage, OnDamage
from datera_backup.engine.restore.jobs import RestoreJob, VerifyJob
from datera_backup.engine.restore.stages import RestoreReport

__all__ = ["Damage", "OnDamage", "RestoreJob", "RestoreReport", "VerifyJob"]
