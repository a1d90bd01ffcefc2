# SPDX-License-Identifier: Apache-2.0
"""Whether the cloud is as the model says: records, who sees them, stores, quotas, open doors."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from cinder import exception

from tests.faults.model.cloud import BACKENDS, PROJECTS, Cloud
from tests.faults.model.expected import Expected, State
from tests.fixtures.backends.five_backends import CLASSES, counted, usage_of

IMPORTED = "backup_dispatch.driver.BackupDispatcher@imported"
STATUS = {State.AVAILABLE: "available", State.FAILED: "error"}


def compare_records(cloud: Cloud, expected: Expected) -> None:
    """All records, and no others: state, owner, parent, project; nobody sees another's."""
    records = cloud.records()
    assert set(records) == set(expected.backups)
    for one in expected.backups.values():
        record = records[one.id]
        where = f"backup {one.id} on {one.backend}: {record.fail_reason}"
        assert record.status == STATUS[one.state], where
        assert record.project_id == one.project, where
        assert (record.parent_id or None) == one.parent, where
        one.unowned = record.service == IMPORTED
        if one.state is State.AVAILABLE and not one.unowned:
            assert record.service == CLASSES[one.backend], where
    for project in PROJECTS:
        assert cloud.seen_by(project) == set(expected.of_project(project))


def compare_doors(cloud: Cloud, away: Collection[str]) -> None:
    """Nothing of the array is attached, or could be."""
    if "datera" not in away:
        assert cloud.array.open_doors() == []


def compare_stores(cloud: Cloud, away: Collection[str]) -> None:
    """Nothing lies in a store that no record names."""
    records = cloud.records().values()
    for backend in set(BACKENDS) - set(away):
        store = cloud.stores[backend]
        named = tuple(store.named_by(record) for record in records if record.container)
        unnamed = [name for name in store.names() if not name.startswith(named)]
        assert not unnamed, f"{backend}: no record names {unnamed}"


def compare_quotas(cloud: Cloud) -> None:
    """Each project's usage is what its records add up to."""
    for project in PROJECTS:
        assert usage_of(cloud.cinder, project) == counted(cloud.cinder, project), project


def require_trespass_refused(cloud: Cloud, expected: Expected, backup_id: str) -> None:
    """Another project's user can do nothing with a backup, by whatever call."""
    owner = expected.backups[backup_id].project
    (other,) = set(PROJECTS) - {owner}
    with cloud.acting(other) as cinder:
        calls: list[Any] = [
            lambda: cinder.backups.get(cinder.context, backup_id),
            lambda: cinder.backups.restore(cinder.context, backup_id),
            lambda: cinder.delete_backup(cinder.backup(backup_id)),
            lambda: cinder.export_backup(cinder.backup(backup_id)),
        ]
        for call in calls:
            with pytest.raises((exception.NotFound, exception.NotAuthorized)):
                call()
        # Whoever has got hold of an export does not get in by it.
        with pytest.raises(exception.NotAuthorized):
            cinder.import_backup({"backup_service": "x", "backup_url": "e30="})
