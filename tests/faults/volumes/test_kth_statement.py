# SPDX-License-Identifier: Apache-2.0
"""Cinder's database fails at each statement of each operation: it is gone, or there is a deadlock.

Afterwards each app instance and each snapshot on the cluster is one that a record names, and when
the records are deleted, as an operator deletes what is in error, the cluster is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.faults.extent import amount, chance, portion
from tests.fixtures.faults.failing_statements import STATEMENT_FAULTS, FailingStatements
from tests.fixtures.faults.kth import Kth
from tests.fixtures.faults.mocked_time import MockedTime
from tests.functional.datera_volume.conftest import Hosts

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

BACKEND = """\
volume_driver = datera_volume.driver.DateraDriver
san_ip = 127.0.0.1
san_login = {emulator.username}
san_password = {emulator.password}
driver_use_ssl = False
datera_api_port = {emulator.http_port}
datera_api_version = 2.2
"""


@dataclass
class Cloud:
    """A Cinder on an emulated cluster, and its database that can fail."""

    service: CinderService
    emulator: Emulator
    statements: FailingStatements

    def __post_init__(self) -> None:
        self.hosts = Hosts(self.service)
        self.gold = self.service.create_volume_type("gold", {"DF:total_iops_max": "7"})

    def records(self, kind: str) -> list[Any]:
        """Cinder's records of volumes or snapshots."""
        from cinder import objects

        if kind == "volumes":
            return list(objects.VolumeList.get_all(self.service.context))
        return list(objects.SnapshotList.get_all(self.service.context, {}))

    def unnamed(self) -> Iterator[str]:
        """Yield what is on the cluster without a record."""
        volumes = {one.name_id for one in self.records("volumes")}
        snapshots = {one.id for one in self.records("snapshots")}
        for instance in self.emulator.cluster.app_instances.values():
            if instance.name[-36:] not in volumes:
                yield f"no record names the app instance {instance.name}"
            for _, volume in instance.volumes():
                for snapshot in volume.snapshots.values():
                    if snapshot.uuid not in snapshots:
                        yield f"no record names the snapshot {snapshot.uuid}"

    def deleted(self) -> Iterator[str]:
        """Delete every record as an operator does; yield what is left."""
        for snapshot in self.records("snapshots"):
            snapshot.update({"status": "error"})
            snapshot.save()
            self.service.volumes.delete_snapshot(self.service.context, snapshot)
        for volume in self.records("volumes"):
            for attachment in volume.volume_attachment:
                attachment.destroy()
            again = self.service.volume(volume.id)
            again.update({"status": "error", "attach_status": "detached"})
            again.save()
            self.service.delete_volume(again)
        for kind in ("volumes", "snapshots"):
            yield from (f"{one.id} of {kind} is still there" for one in self.records(kind))
        for instance in list(self.emulator.cluster.app_instances.values()):
            yield f"app instance {instance.name} is left after its record was deleted"


Act = Callable[[], object]


def create(cloud: Cloud) -> Act:
    return lambda: cloud.service.create_volume(1)


def clone(cloud: Cloud) -> Act:
    source = cloud.service.create_volume(1)
    return lambda: cloud.service.create_volume(2, source=source)


def copy_of_a_snapshot(cloud: Cloud) -> Act:
    snapshot = cloud.service.create_snapshot(cloud.service.create_volume(1))
    return lambda: cloud.service.create_volume(1, snapshot=snapshot)


def snapshot(cloud: Cloud) -> Act:
    source = cloud.service.create_volume(1)
    return lambda: cloud.service.create_snapshot(source)


def delete_a_snapshot(cloud: Cloud) -> Act:
    taken = cloud.service.create_snapshot(cloud.service.create_volume(1))
    return lambda: cloud.service.volumes.delete_snapshot(cloud.service.context, taken)


def delete(cloud: Cloud) -> Act:
    volume = cloud.service.create_volume(1)
    return lambda: cloud.service.delete_volume(volume)


def attach(cloud: Cloud) -> Act:
    volume = cloud.service.create_volume(1)
    return lambda: cloud.hosts.attach(volume, "one")


def detach(cloud: Cloud) -> Act:
    attachment = cloud.hosts.attach(cloud.service.create_volume(1), "one")
    return lambda: cloud.hosts.detach(attachment)


def extend(cloud: Cloud) -> Act:
    volume = cloud.service.create_volume(1)
    return lambda: cloud.service.volumes.extend(
        cloud.service.context, cloud.service.volume(volume.id), 2
    )


def retype(cloud: Cloud) -> Act:
    volume = cloud.service.create_volume(1)
    return lambda: cloud.service.volumes.retype(
        cloud.service.context, cloud.service.volume(volume.id), cloud.gold.id, "never"
    )


OPERATIONS: dict[str, Callable[[Cloud], Act]] = {
    one.__name__: one
    for one in (
        create,
        clone,
        copy_of_a_snapshot,
        snapshot,
        delete_a_snapshot,
        delete,
        attach,
        detach,
        extend,
        retype,
    )
}
WALKED = portion([*OPERATIONS], "kth statement", small=1, brief=3)
LONGEST = 3600.0
"""Seconds that a whole test may wait for its database to come back."""
MOST = amount(small=2, brief=6, whole=30)


@pytest.fixture(scope="module")
def cloud(
    tmp_path_factory: pytest.TempPathFactory,
    run_directory: Path,
    cinder_imported: None,
    iscsi_alone: None,
) -> Iterator[Cloud]:
    from tests.fixtures.cinder.database import one_engine
    from tests.fixtures.cinder.service import CinderService

    folder = tmp_path_factory.mktemp("statements")
    with ExitStack() as running:
        emulator = running.enter_context(Emulator(state_dir=folder / "array"))
        service = running.enter_context(
            CinderService(
                folder,
                template_folder=run_directory,
                backend=BACKEND.format(emulator=emulator),
                section="datera",
            )
        )
        # What Cinder reserves and cannot give back, because its database is gone, adds up.
        for quota in ("volumes", "gigabytes", "snapshots"):
            service.volumes.db.quota_create(service.context, service.context.project_id, quota, -1)
        statements = FailingStatements(one_engine().engine, MockedTime(LONGEST))
        yield Cloud(service, emulator, statements)


@pytest.mark.parametrize("operation", WALKED)
def test_an_operation_whose_kth_statement_fails_leaves_nothing_unnamed(
    cloud: Cloud, operation: str, tally: Callable[[str, int], None]
) -> None:
    # The first makes what all others find, such as quotas.
    for _once in range(2):
        act = OPERATIONS[operation](cloud)
        statements = Kth()
        with cloud.statements.in_force(None, statements):
            act()
        assert cloud.service.failures == []
        assert [*cloud.unnamed(), *cloud.deleted()] == []
    space = [
        (k, error, lasting)
        for k in range(1, statements.passed + 1)
        for error in STATEMENT_FAULTS
        for lasting in (False, True)
    ]
    cases = chance("kth statement", operation).sample(space, min(MOST, len(space)))
    found = []
    for k, error, lasting in cases:
        act = OPERATIONS[operation](cloud)
        told, failing = "", Kth(k, lasting)
        with cloud.statements.in_force(error, failing):
            try:
                act()
            except Exception as exc:  # the API answers 500
                told = f"{type(exc).__name__}"
        cloud.service.failures.clear()
        problems = [*cloud.unnamed(), *cloud.deleted()]
        if not failing.hits:
            problems.append("the fault never occurred: there are fewer than were counted")
        for problem in problems:
            how = "for ever" if lasting else "once"
            found.append(
                f"{error} {how} at statement {k} of {statements.passed}: {told}: {problem}"
            )
    tally("database statements of volume operations failed", len(cases))
    assert not found, "\n".join(found)
