# SPDX-License-Identifier: Apache-2.0
"""The dispatcher's job that lets backups go by a rule, and Cinder's manager that deletes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.faults.backups.jobs import Cloud
from tests.faults.backups.operations import Act, Ids, Operation
from tests.faults.backups.stage import Stage

ONE_DELETION = 600.0
BEGAN = datetime.now(timezone.utc)


@dataclass
class PruneJob(Operation):
    """Keep the newest backup alone; where that failed, restart the service and do it again."""

    def prepare(self, stage: Stage, ids: Ids) -> Act:
        from cinder.context import get_admin_context

        from backup_dispatch.jobs.prune.deletion import World
        from backup_dispatch.jobs.prune.planning import Selection, planned
        from backup_dispatch.jobs.prune.policies import NamedPolicy
        from backup_dispatch.jobs.prune.policy import Policy
        from backup_dispatch.jobs.prune.run import carry_out
        from backup_dispatch.jobs.prune.service import CinderBackup

        context, cloud, clock = get_admin_context(), Cloud(stage), stage.time.now
        datera = cloud.enabled.named("datera")
        assert datera is not None
        for row in stage.records():
            record = stage.backup(row.id)
            record.service = datera.owner
            record.save()
        newest = [NamedPolicy("newest", Policy(last=1))]

        def now() -> datetime:
            return BEGAN + timedelta(seconds=clock())

        world = World(CinderBackup(), clock, stage.time.sleep, now, ONE_DELETION)

        def act() -> list[Any]:
            decided = planned(context, cloud.enabled, newest, Selection(), now())
            return list(carry_out(context, cloud.enabled, decided, world, lambda _backend: None))

        return act

    def wrong(self, stage: Stage, ids: Ids, told: Any) -> Iterator[str]:
        from backup_dispatch.jobs.prune.deletion import Outcome

        there = {row.id for row in stage.records()}
        if ids["newest"] not in there:
            yield "what is to be kept is gone"
        for decision, done in told:
            backup = decision.backup.id
            if done.outcome is Outcome.GONE and backup in there:
                yield f"backup {backup} is said to be gone"
            elif done.outcome is not Outcome.GONE and not done.why:
                yield f"backup {backup} is {done.outcome.value}, and nobody knows why"
        if stage.devices_fail:
            return  # a deletion that reads what stood there before the last one brings that back
        gone = {one.backup.id for one, done in told if done.outcome is Outcome.GONE}
        for container in stage.names:
            for backup in gone.intersection(stage.backups_in(container)):
                yield f"backup {backup} is gone, and in {container}"

    def heal(self, stage: Stage, ids: Ids, error: Exception | None) -> Iterator[str]:
        from backup_dispatch.jobs.prune.deletion import Outcome

        manager = stage.service.backup_manager
        manager._cleanup_incomplete_backup_operations(stage.context)
        told = self.prepare(stage, ids)()
        yield from self.wrong(stage, ids, told)
        if stage.devices_fail and any(done.outcome is Outcome.FAILED for _, done in told):
            return  # a container that cannot be read keeps all that may be in it
        left = {(row.id, row.status) for row in stage.records()}
        if left != {(ids["newest"], "available")}:
            yield f"there are {left} afterwards: {[done for _, done in told]}"
