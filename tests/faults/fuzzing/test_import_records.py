# SPDX-License-Identifier: Apache-2.0
"""A record that a user imports may say anything: it is refused by a typed error, or read."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace
from uuid import UUID

from datera_backup import cinder_record, exported, naming
from datera_backup.errors import BackupFailed
from tests.fixtures.faults.extent import amount
from tests.fixtures.faults.fuzzing import MIB, RUNS, fuzz
from tests.fixtures.faults.mutating import mutated, mutated_text, some_text

BACKUP_ID = "2f7f6ae5-9b52-4d0f-9e1e-3fd0b3d9a111"
CONTAINER = naming.container_name(BACKUP_ID)
TENANT = "/root/openstack/tenant"
EXPORTED = {
    "driver": "datera",
    "format": exported.EXPORT_FORMAT,
    "tenant": TENANT,
    "container": CONTAINER,
    "backup": BACKUP_ID,
}
BACKUP = SimpleNamespace(id=BACKUP_ID)


def test_exported_record_that_was_changed_names_a_place_or_is_refused(
    tally: Callable[[str, int], None],
) -> None:
    runs = amount(small=1_000, brief=15_000, whole=200_000)

    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        told = mutated(rng, EXPORTED)

        def work() -> None:
            location = exported.location_in(told, BACKUP)
            assert naming.is_container_name(location.container)
            assert naming.is_tenant_path(location.tenant)
            assert str(location.container_id) in location.container

        return MIB, work

    refused = fuzz("exported records", runs, prepare, (BackupFailed,))
    assert 0 < refused < runs
    tally(RUNS, runs)
    tally(f"{RUNS}: import records", runs)


def test_record_of_any_texts_says_where_its_backup_is_or_is_refused(
    tally: Callable[[str, int], None],
) -> None:
    """Cinder writes what an import says into its own record, whatever it is."""
    runs = amount(small=1_000, brief=15_000, whole=150_000)
    right = naming.service_metadata(TENANT, UUID(BACKUP_ID))

    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        metadata = rng.choice((right, mutated_text(rng, right), some_text(rng), None))
        container = rng.choice((CONTAINER, mutated_text(rng, CONTAINER), some_text(rng), None))
        backup = SimpleNamespace(id=BACKUP_ID, service_metadata=metadata, container=container)

        def work() -> None:
            location = cinder_record.location_of(backup)
            if location is not None:
                assert naming.is_tenant_path(location.tenant)
                assert str(location.container_id) in location.container

        return MIB, work

    refused = fuzz("imported records", runs, prepare, (BackupFailed,))
    assert 0 < refused < runs
    tally(RUNS, runs)
    tally(f"{RUNS}: import records", runs)
