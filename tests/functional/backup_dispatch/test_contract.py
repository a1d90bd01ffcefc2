# SPDX-License-Identifier: Apache-2.0
"""The contract for backends, through the dispatcher and Cinder's own service, with each driver.

The tests are those of ``backup_dispatch.testing``; here stands what is besides to be seen of the
dispatcher: which calls reach the driver, and how.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from backup_dispatch import testing
from backup_dispatch.process import this_process
from tests.fixtures.backends.contract_backends import ALL, ContractBackend, Prepared, Surroundings

DISPATCHER = "backup_dispatch.driver.BackupDispatcher"
IMPORTED = f"{DISPATCHER}@imported"
MIB = 2**20
SIZE = 16 * MIB
CALLS = ("backup", "restore", "delete_backup", "export_record", "import_record")

IN_EVERY_RUN = {"datera", "posix"}
"""The others' classes are long."""


@dataclass
class Cloud:
    """A dispatching Cinder with the backend under contract, and what its driver is asked."""

    cinder: Any
    backend: ContractBackend
    prepared: Prepared
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = field(default_factory=list)
    volume_bytes: int = SIZE

    @property
    def folder(self) -> Path:
        """A folder of the test's own."""
        folder: Path = self.cinder.directory
        return folder

    @property
    def enabled(self) -> Any:
        from oslo_config import cfg

        from backup_dispatch.backends.configured import configured

        return configured(cfg.CONF).named(self.backend.driver)

    @property
    def dispatcher(self) -> Any:
        from backup_dispatch.driver import BackupDispatcher

        return BackupDispatcher(self.cinder.context)

    def file_of(self, volume: Any) -> Any:
        from tests.fixtures.cinder.file_volume import FileDisk

        return FileDisk(str(self.cinder.volume_manager.driver.path_of(volume)))

    def called(self, name: str) -> list[dict[str, Any]]:
        """The optional arguments of each call of that name."""
        return [optional for call, _, optional, _ in self.calls if call == name]

    # What the contract asks for

    def driver(self) -> Any:
        return self.enabled.make(self.cinder.context)

    def create_volume(self, name: str = "volume") -> Any:
        return self.cinder.create_volume(1, name=name)

    def write(self, volume: Any, offset: int, data: bytes) -> None:
        self.cinder.write(volume, offset, data)

    def read(self, volume: Any, offset: int, length: int) -> bytes:
        data: bytes = self.cinder.read(volume, offset, length)
        return data

    def back_up(self, volume: Any, parent: Any = None) -> Any:
        name = f"{self.backend.driver}_contract"
        backup = self.cinder.create_backup(volume, name, incremental=parent is not None)
        assert backup.status == "available", (backup.fail_reason, self.cinder.failures)
        assert backup.service == self.enabled.owner
        return backup

    def restore(self, backup: Any, volume: Any = None) -> Any:
        volume = self.cinder.restore_backup(backup, volume)
        assert volume.status == "available", self.cinder.failures
        return volume

    def delete(self, backup: Any) -> None:
        assert self.cinder.delete_backup(backup) is None, self.cinder.failures

    def carry_over(self, backup: Any) -> Any:
        record = self.cinder.export_backup(backup)
        assert record["backup_service"] == self.enabled.owner
        self._lose(backup)
        imported = self.cinder.import_backup(record)
        assert (imported.status, imported.service) == ("available", IMPORTED), imported.fail_reason
        return imported

    def reread(self, backup: Any) -> Any:
        return self.cinder.backup(backup.id)

    def _lose(self, backup: Any) -> None:
        """Lose the record and keep the data; Cinder, which revives it, learns nothing from it."""
        backup = self.cinder.backup(backup.id)
        backup.service = None
        backup.save()
        backup.destroy()


@pytest.fixture(scope="class", autouse=True)
def started(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    run_directory: Path,
    cinder_imported: None,
    iscsi_alone: None,
) -> Iterator[None]:
    """Start a Cinder for the backend of a class of tests."""
    from tests.fixtures.cinder.releases import database
    from tests.fixtures.cinder.service import CinderService

    backend: ContractBackend = request.cls.backend
    directory = tmp_path_factory.mktemp("contract")
    (directory / "shelf").mkdir()
    with ExitStack() as running:
        prepared = backend.prepare(Surroundings(directory, request.getfixturevalue, running))
        lines = (
            f"backup_driver = {DISPATCHER}",
            "backup_dispatch_primary = tests.fixtures.backends.shelf_driver",
            f"backup_datera_secondary_backup_drivers = {backend.driver}",
            prepared.options,
        )
        cinder = running.enter_context(
            CinderService(directory, template_folder=run_directory, defaults="\n".join(lines))
        )
        running.callback(this_process().stop_checking)
        for what in ("volumes", "gigabytes", "backups", "backup_gigabytes"):
            database.quota_create(cinder.context, cinder.context.project_id, what, -1)
        request.cls.started = Cloud(cinder, backend, prepared)
        yield


def noting(cloud: Cloud, name: str) -> Any:
    real = getattr(cloud.enabled.driver_class, name)

    def call(driver: Any, *arguments: Any, **optional: Any) -> Any:
        result = real(driver, *arguments, **optional)
        cloud.calls.append((name, arguments, optional, result))
        return result

    return call


class ThroughTheDispatcher(testing.BackendContract):
    """The contract of one backend, with every call of its driver noted."""

    __test__ = False
    backend: ClassVar[ContractBackend]
    started: ClassVar[Cloud]
    cloud: Cloud
    volume_bytes = SIZE

    def make_cloud(self) -> Cloud:
        self.started.calls.clear()
        for name in CALLS:
            self.patch(self.started.enabled.driver_class, name, noting(self.started, name))
        return self.started

    def stored(self) -> list[str]:
        return self.started.prepared.stored()

    # The contract, and what of it the driver gets to see

    def test_full_backup_restores_to_new_and_to_used_volumes(self) -> None:
        super().test_full_backup_restores_to_new_and_to_used_volumes()
        assert self.cloud.called("backup") == [{}]
        assert len(self.cloud.called("restore")) == 2

    def test_deletion_leaves_nothing_and_holds_says_so(self) -> None:
        super().test_deletion_leaves_nothing_and_holds_says_so()
        assert [name for name, *_ in self.cloud.calls] == ["backup", "delete_backup"]

    def test_exported_record_can_be_imported(self) -> None:
        volume = self.filled_volume(4)
        backup = self.cloud.back_up(volume)
        direct = self.cloud.dispatcher.export_record(self.cloud.reread(backup))
        assert direct is self.cloud.calls[-1][-1]
        imported = self.cloud.carry_over(backup)
        imports = [given[1] for name, given, *_ in self.cloud.calls if name == "import_record"]
        assert imports == ([direct] if direct else [])
        self.require_content(self.cloud.restore(imported), self.content(volume))
        assert self.cloud.reread(backup).service == self.cloud.enabled.owner
        self.cloud.delete(imported)

    def test_reader_gives_what_each_backup_of_a_chain_has(self) -> None:
        if not self.backend.chunked:
            self.skipTest("the driver opens its backups itself")
        from backup_dispatch.drivers.readers import open_reader
        from backup_dispatch.lineage import chain_of

        chain, contents = self.chain_of_four()
        for backup, content in zip(chain, contents, strict=True):
            backups = chain_of(self.cloud.cinder.context, self.cloud.reread(backup)).backups
            driver = self.cloud.driver()
            self.require_opened(open_reader(driver, backups, self.cloud.folder), content)
        for backup in reversed(chain):
            self.cloud.delete(backup)

    # What the dispatcher knows of the driver

    def test_backend_is_up_and_its_own_check_passes(self) -> None:
        from oslo_config import cfg

        from backup_dispatch.backends.configured import configured
        from backup_dispatch.process import check_of

        this_process().health(configured(cfg.CONF), cfg.CONF).require(self.backend.driver)
        check_of(self.cloud.enabled)()
        assert self.cloud.dispatcher.support_force_delete is True

    def test_examination_finds_nothing_down_and_changes_nothing(self) -> None:
        from backup_dispatch.examination.backends import examine
        from backup_dispatch.examination.finding import State

        before = self.stored()
        found = list(examine(self.cloud.enabled))
        assert max(one.state for one in found) < State.UNWRITABLE, found
        assert self.stored() == before

    def test_small_object_comes_back_and_is_gone(self) -> None:
        from backup_dispatch.examination.finding import State
        from backup_dispatch.examination.small_object import try_out

        before = self.stored()
        (found,) = try_out(self.cloud.enabled)
        assert found.state is State.UP, found
        assert self.stored() == before

    # Optional arguments

    def test_optional_argument_of_restore_is_passed_on_if_given(self) -> None:
        cloud = self.cloud
        volume = self.filled_volume(5)
        backup = cloud.back_up(volume)
        backup.status = "restoring"
        backup.save()
        variants: list[dict[str, bool]] = [{"volume_is_new": True}, {"volume_is_new": False}]
        if not self.backend.must_be_told:
            variants.append({})
        for optional in variants:
            new = optional.get("volume_is_new")
            target = cloud.create_volume() if new else self.dirty_volume()
            cloud.calls.clear()
            with cloud.file_of(target) as file:
                result = cloud.dispatcher.restore(backup, target.id, file, **optional)
            assert cloud.called("restore") == [optional]
            assert result is cloud.calls[-1][-1]
            self.require_content(target, self.content(volume))

    def test_optional_argument_of_backup_is_passed_on_if_given(self) -> None:
        for optional in ({}, {"backup_metadata": True}, {"backup_metadata": False}):
            self._back_up_with(optional)

    def _back_up_with(self, optional: dict[str, bool]) -> None:
        cloud = self.cloud
        volume = cloud.create_volume(name="with a name")
        cloud.write(volume, 3 * MIB, b"kept" * 1000)
        backup = new_record(cloud, volume)
        cloud.calls.clear()
        with cloud.file_of(volume) as file:
            result = cloud.dispatcher.backup(backup, file, **optional)
        assert cloud.called("backup") == [optional]
        assert result is cloud.calls[-1][-1]
        backup.status = "available"
        backup.save()
        target = cloud.create_volume(name="")
        self.require_content(cloud.restore(backup, target), self.content(volume))
        # Without the argument the driver's own default applies: it keeps the volume's metadata.
        named = "with a name" if optional.get("backup_metadata", True) else ""
        assert cloud.cinder.volume(target.id).display_name == named

    def test_incrementals_before_cinder_29_restore_right_only_through_the_dispatcher(self) -> None:
        from backup_dispatch.drivers import new_volumes
        from tests.fixtures.cinder.restore_before_29 import restore_before_29

        if not self.backend.chunked:
            self.skipTest("it is no chunked driver")
        cloud = self.cloud
        volume = self.filled_volume(6)
        full = cloud.back_up(volume)
        cloud.write(volume, 9 * MIB, bytes(MIB))
        backup = cloud.back_up(volume, full)
        backup.status = "restoring"
        backup.save()
        self.patch(cloud.enabled.driver_class, "restore", restore_before_29)

        vanilla, ours = cloud.create_volume(), cloud.create_volume()
        with cloud.file_of(vanilla) as file:
            cloud.driver().restore(backup, vanilla.id, file, True)
        assert cloud.read(vanilla, 9 * MIB, MIB) == b"x" * MIB, "what was there before"

        self.patch(new_volumes, "cinder_release", lambda: (28, 0))
        with cloud.file_of(ours) as file:
            cloud.dispatcher.restore(backup, ours.id, file, True)
        self.require_content(ours, self.content(volume))


def new_record(cloud: Cloud, volume: Any) -> Any:
    from cinder import objects

    backup = objects.Backup(
        cloud.cinder.context,
        user_id=cloud.cinder.context.user_id,
        project_id=cloud.cinder.context.project_id,
        display_name=f"{cloud.backend.driver}_direct",
        volume_id=volume.id,
        status="creating",
        size=1,
        host=cloud.cinder.backup_manager.host,
        availability_zone="nova",
        parent_id=None,
    )
    backup.create()
    return cloud.reread(backup)


def classes_of_tests() -> dict[str, type[ThroughTheDispatcher]]:
    """One for each backend; another release of Cinder has other drivers, but no other servers."""
    found: dict[str, type[ThroughTheDispatcher]] = {}
    seen = set()
    for backend in ALL:
        name = "".join(word.capitalize() for word in f"{backend.label} contract".split())
        given = {"backend": backend, "incremental": backend.incremental, "__module__": __name__}
        made = type(name, (ThroughTheDispatcher,), given)
        made = made if backend.driver in seen else pytest.mark.release(made)
        found[name] = made if backend.label in IN_EVERY_RUN else pytest.mark.long(made)
        seen.add(backend.driver)
    return found


globals().update(classes_of_tests())
