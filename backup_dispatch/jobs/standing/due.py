# SPDX-License-Identifier: Apache-2.0
"""What the policies in cinder.conf no longer keep; nothing is deleted, and nobody is asked to."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from backup_dispatch import opts
from backup_dispatch.backends.configured import Backends
from backup_dispatch.errors import DispatchError
from backup_dispatch.jobs.prune.planning import Selection, planned
from backup_dispatch.jobs.prune.policies import configured_policies
from backup_dispatch.jobs.standing.model import DueBackup


def due(
    context: Any, enabled: Backends, conf: Any, now: datetime
) -> tuple[list[DueBackup] | None, str]:
    """The backups that a run of prune would delete now.

    :param now: in UTC, without a time zone.
    :returns: None without a policy, or if it is not known; then, why it is not.
    """
    if not conf[opts.RETENTION]:
        return None, ""
    try:
        policies = configured_policies(conf, context)
    except DispatchError as error:
        # One policy that cannot be used is no reason to tell nothing else.
        return None, f"What is due to be pruned is not known: {error.full_text}"
    moment = now.replace(tzinfo=timezone.utc)
    decided = planned(context, enabled, policies, Selection(), moment)
    return [DueBackup(one.backup.id, one.policy) for one in decided.going], ""
