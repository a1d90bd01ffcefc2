# SPDX-License-Identifier: Apache-2.0
"""The contract: each call of the driver interface, through the dispatcher, with real backends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process
from tests.fixtures.contract_backends import ALL, ContractBackend, Prepared, Surroundings

DISPATCHER = "backup_dispatch.driver.BackupDispatcher"
IMPORTED = f"{DISPATCHER}@imported"
MIB = 2**20
SIZE = 16 * MIB
CALLS = ("backup", "restore", "delete_backup", "export_record", "import_record")


@dataclass
class Cloud:
    """A dispatching Cinder with the backend under contract, and what its driver is asked."""

    cinder: Any
    backend: ContractBackend
    prepared: Prepared
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = field(default_factory=list)

    @property
    def driver_class(self) -> Any:
        return self.enabled.driver_class

    @property
    def enabled(self) -> Any:
        from oslo_config import cfg

        from backup_dispatch.backends.configured import configured

        return configured(cfg.CONF).named(self.backend.driver)

    @property
    def dispatcher(self) -> Any:
        from backup_dispatch.driver import BackupDispatcher

        return BackupDispatcher(self.cinder.context)

    def name(self, rest: str) -> str:
        return f"{self.backend.driver}_{rest}"

    def file_of(self, volume: Any) -> Any:
        from tests.fixtures.file_volume import FileDisk

        return FileDisk(str(self.cinder.volume_manager.driver.path_of(volume)))

    def called(self, name: str) -> list[dict[str, Any]]:
        """The optional arguments of each call of that name."""
        return [optional for call, _, optional, _ in self.calls if call == name]

    def made(self, volume: Any, rest: str, **options: Any) -> Any:
        """A backup on the backend under contract, which went well."""
        backup = self.cinder.create_backup(volume, self.name(rest), **options)
        assert backup.status == "available", (backup.fail_reason, self.cinder.failures)
        assert backup.service == self.enabled.owner
        return backup

    def restored(self, backup: Any, volume: Any = None) -> bytes:
        """The bytes of the volume, restored through Cinder."""
        volume = self.cinder.restore_backup(backup, volume)
        assert volume.status == "available", self.cinder.failures
        return self.content(volume)

    def content(self, volume: Any) -> bytes:
        data: bytes = self.cinder.read(volume, 0, SIZE)
        assert len(data) == SIZE
        return data

    def dirty_volume(self) -> Any:
        """A volume that is full of something else."""
        volume = self.cinder.create_volume(1, name="dirty")
        self.cinder.write(volume, 0, b"\xee" * SIZE)
        return volume

    def filled_volume(self, seed: int) -> Any:
        """A volume with some data, some of which do not compress, and gaps."""
        volume = self.cinder.create_volume(1, name=f"volume {seed}")
        self.cinder.write(volume, 0, random.Random(seed).randbytes(MIB))
        self.cinder.write(volume, 5 * MIB + 17, b"text " * 100_000)
        self.cinder.write(volume, 9 * MIB, b"x" * MIB)
        self.cinder.write(volume, SIZE - 4096, random.Random(-seed).randbytes(4096))
        return volume

    def forget(self, backup: Any) -> None:
        """Lose the record and keep the data; Cinder, which revives it, learns nothing from it."""
        backup = self.cinder.backup(backup.id)
        backup.service = None
        backup.save()
        backup.destroy()


def with_each_driver_once_marked() -> Iterator[Any]:
    """The backends; another release of Cinder has other drivers, but no other servers."""
    seen = set()
    for backend in ALL:
        marks = [] if backend.driver in seen else [pytest.mark.release]
        seen.add(backend.driver)
        yield pytest.param(backend, id=backend.label, marks=marks)


@pytest.fixture(scope="module", params=with_each_driver_once_marked())
def started(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    run_directory: Path,
    cinder_imported: None,
    iscsi_alone: None,
) -> Iterator[Cloud]:
    from tests.fixtures.cinder_releases import database
    from tests.fixtures.cinder_service import CinderService

    backend: ContractBackend = request.param
    directory = tmp_path_factory.mktemp("contract")
    (directory / "shelf").mkdir()
    with ExitStack() as running:
        prepared = backend.prepare(Surroundings(directory, request.getfixturevalue, running))
        lines = (
            f"backup_driver = {DISPATCHER}",
            "backup_dispatch_primary = tests.fixtures.shelf_driver",
            f"backup_datera_secondary_backup_drivers = {backend.driver}",
            prepared.options,
        )
        cinder = running.enter_context(
            CinderService(directory, template_folder=run_directory, defaults="\n".join(lines))
        )
        running.callback(this_process().stop_checking)
        for what in ("volumes", "gigabytes", "backups", "backup_gigabytes"):
            database.quota_create(cinder.context, cinder.context.project_id, what, -1)
        yield Cloud(cinder, backend, prepared)


@pytest.fixture
def cloud(started: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The cloud, with every call of the driver noted."""
    started.calls.clear()
    for name in CALLS:
        monkeypatch.setattr(started.driver_class, name, noting(started, name))
    return started


def noting(cloud: Cloud, name: str) -> Any:
    real = getattr(cloud.driver_class, name)

    def call(driver: Any, *arguments: Any, **optional: Any) -> Any:
        result = real(driver, *arguments, **optional)
        cloud.calls.append((name, arguments, optional, result))
        return result

    return call


def test_it_is_up_and_its_own_check_passes(cloud: Cloud) -> None:
    from oslo_config import cfg

    from backup_dispatch.backends.configured import configured
    from backup_dispatch.process import check_of

    this_process().health(configured(cfg.CONF), cfg.CONF).require(cloud.backend.driver)
    check_of(cloud.enabled)()
    assert cloud.dispatcher.support_force_delete is True


def test_look_finds_nothing_down_and_changes_nothing(cloud: Cloud) -> None:
    from backup_dispatch.examination.backends import examine
    from backup_dispatch.examination.finding import State

    before = cloud.prepared.stored()
    found = list(examine(cloud.enabled))
    assert max(one.state for one in found) < State.UNWRITABLE, found
    assert cloud.prepared.stored() == before


def test_small_object_comes_back_and_is_gone(cloud: Cloud) -> None:
    from backup_dispatch.examination.finding import State
    from backup_dispatch.examination.small_object import try_out

    before = cloud.prepared.stored()
    (found,) = try_out(cloud.enabled)
    assert found.state is State.UP, found
    assert cloud.prepared.stored() == before


def test_a_full_backup_comes_back_on_new_and_on_used_volumes(cloud: Cloud) -> None:
    volume = cloud.filled_volume(1)
    backup = cloud.made(volume, "full")
    assert cloud.called("backup") == [{}]
    content = cloud.content(volume)
    assert cloud.restored(backup) == content
    assert cloud.restored(backup, cloud.dirty_volume()) == content
    assert len(cloud.called("restore")) == 2
    assert cloud.cinder.delete_backup(backup) is None


def test_incrementals_come_back_with_zeros_that_overwrote_data(cloud: Cloud) -> None:
    if not cloud.backend.incremental:
        pytest.skip("it makes no incremental backups of such a volume")
    volume = cloud.filled_volume(2)
    chain = [cloud.made(volume, "0")]
    contents = [cloud.content(volume)]
    for number, (offset, data) in enumerate(
        ((9 * MIB, bytes(MIB)), (2 * MIB, b"new" * MIB), (0, bytes(MIB // 2))), start=1
    ):
        cloud.cinder.write(volume, offset, data)
        chain.append(cloud.made(volume, str(number), incremental=True))
        contents.append(cloud.content(volume))
        assert chain[-1].parent_id == chain[-2].id
    for backup, content in list(zip(chain, contents, strict=True))[1:]:
        assert cloud.restored(backup) == content
    assert cloud.restored(chain[-1], cloud.dirty_volume()) == contents[-1]
    for backup in reversed(chain):
        assert cloud.cinder.backup(backup.id).num_dependent_backups == 0
        assert cloud.cinder.delete_backup(backup) is None, cloud.cinder.failures
    assert not [name for name in cloud.prepared.stored() if any(b.id in name for b in chain)]


def test_a_deletion_leaves_nothing_and_its_owner_can_be_asked(cloud: Cloud) -> None:
    from backup_dispatch.drivers.custody import holds

    backup = cloud.made(cloud.filled_volume(3), "full")
    driver = cloud.enabled.make(cloud.cinder.context)
    assert any(backup.id in name for name in cloud.prepared.stored())
    assert holds(driver, cloud.cinder.backup(backup.id)) is True
    assert cloud.cinder.delete_backup(backup) is None, cloud.cinder.failures
    assert [name for name, *_ in cloud.calls] == ["backup", "delete_backup"]
    assert holds(driver, backup) is False
    assert not [name for name in cloud.prepared.stored() if backup.id in name]


def test_an_export_and_an_import_carry_it_over(cloud: Cloud) -> None:
    volume = cloud.filled_volume(4)
    backup = cloud.made(volume, "full")
    direct = cloud.dispatcher.export_record(cloud.cinder.backup(backup.id))
    assert direct is cloud.calls[-1][-1]
    record = cloud.cinder.export_backup(backup)
    assert record["backup_service"] == cloud.enabled.owner
    cloud.forget(backup)
    imported = cloud.cinder.import_backup(record)
    assert (imported.status, imported.service) == ("available", IMPORTED), imported.fail_reason
    handed_over = [arguments[1] for name, arguments, *_ in cloud.calls if name == "import_record"]
    assert handed_over == ([direct] if direct else [])
    assert cloud.restored(imported) == cloud.content(volume)
    assert cloud.cinder.backup(backup.id).service == cloud.enabled.owner
    assert cloud.cinder.delete_backup(imported) is None


def test_a_restores_optional_argument_is_passed_on_if_given(cloud: Cloud) -> None:
    volume = cloud.filled_volume(5)
    backup = cloud.made(volume, "full")
    backup.status = "restoring"
    backup.save()
    variants: list[dict[str, bool]] = [{"volume_is_new": True}, {"volume_is_new": False}]
    if not cloud.backend.must_be_told:
        variants.append({})
    for optional in variants:
        target = cloud.cinder.create_volume(1)
        if not optional.get("volume_is_new"):
            target = cloud.dirty_volume()
        cloud.calls.clear()
        with cloud.file_of(target) as file:
            result = cloud.dispatcher.restore(backup, target.id, file, **optional)
        assert cloud.called("restore") == [optional]
        assert result is cloud.calls[-1][-1]
        assert cloud.content(target) == cloud.content(volume)


@pytest.mark.parametrize("optional", [{}, {"backup_metadata": True}, {"backup_metadata": False}])
def test_a_backups_optional_argument_is_passed_on_if_given(
    cloud: Cloud, optional: dict[str, bool]
) -> None:
    volume = cloud.cinder.create_volume(1, name="with a name")
    cloud.cinder.write(volume, 3 * MIB, b"kept" * 1000)
    backup = new_record(cloud, volume)
    with cloud.file_of(volume) as file:
        result = cloud.dispatcher.backup(backup, file, **optional)
    assert cloud.called("backup") == [optional]
    assert result is cloud.calls[-1][-1]
    backup.status = "available"
    backup.save()
    target = cloud.cinder.create_volume(1, name="")
    assert cloud.restored(backup, target) == cloud.content(volume)
    # Without the argument the driver's own default applies: it keeps the volume's metadata.
    named = "with a name" if optional.get("backup_metadata", True) else ""
    assert cloud.cinder.volume(target.id).display_name == named


def new_record(cloud: Cloud, volume: Any) -> Any:
    from cinder import objects

    backup = objects.Backup(
        cloud.cinder.context,
        user_id=cloud.cinder.context.user_id,
        project_id=cloud.cinder.context.project_id,
        display_name=cloud.name("direct"),
        volume_id=volume.id,
        status="creating",
        size=1,
        host=cloud.cinder.backup_manager.host,
        availability_zone="nova",
        parent_id=None,
    )
    backup.create()
    return cloud.cinder.backup(backup.id)


def test_before_cinder_29_incrementals_come_back_right_only_through_the_dispatcher(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.drivers import new_volumes
    from tests.fixtures.restore_before_29 import restore_before_29

    if not cloud.backend.chunked:
        pytest.skip("it is no chunked driver")
    volume = cloud.filled_volume(6)
    cloud.made(volume, "0")
    cloud.cinder.write(volume, 9 * MIB, bytes(MIB))
    backup = cloud.made(volume, "1", incremental=True)
    backup.status = "restoring"
    backup.save()
    monkeypatch.setattr(cloud.driver_class, "restore", restore_before_29)

    vanilla, ours = cloud.cinder.create_volume(1), cloud.cinder.create_volume(1)
    with cloud.file_of(vanilla) as file:
        cloud.enabled.make(cloud.cinder.context).restore(backup, vanilla.id, file, True)
    assert cloud.cinder.read(vanilla, 9 * MIB, MIB) == b"x" * MIB, "what was there before"

    monkeypatch.setattr(new_volumes, "cinder_release", lambda: (28, 0))
    with cloud.file_of(ours) as file:
        cloud.dispatcher.restore(backup, ours.id, file, True)
    assert cloud.content(ours) == cloud.content(volume)
