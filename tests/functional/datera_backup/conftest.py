# SPDX-License-Identifier: Apache-2.0
"""A real Cinder with the Datera backup driver, and the cluster it keeps backups on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator
from datera_emulator.state.files import clone_range
from datera_emulator.state.model import AppInstance
from datera_emulator.target import brick
from tests.fixtures.datera.one_container import MINE, NAME, OTHER_PROCESS

if TYPE_CHECKING:
    from datera_backup.storage.attachments import Attachments
    from tests.fixtures.cinder.service import CinderService


@dataclass
class Array:
    """The cluster, as a test looks at it."""

    emulator: Emulator

    @property
    def instances(self) -> list[AppInstance]:
        """All app instances, the oldest first."""
        cluster = self.emulator.cluster
        with cluster.lock:
            return sorted(cluster.app_instances.values(), key=lambda ai: ai.created_ns)

    @property
    def names(self) -> list[str]:
        """The app instances' names, the oldest first."""
        return [ai.name for ai in self.instances]

    def data_file(self, name: str) -> Path:
        """The file with the bytes of a container's volume."""
        cluster = self.emulator.cluster
        with cluster.lock:
            instance = cluster.app_instance_named("/root", name)
            assert instance is not None
            ((_, volume),) = instance.volumes()
            return cluster.files.path(volume.file)

    def size_gib(self, name: str) -> float:
        """The size of a container's volume."""
        cluster = self.emulator.cluster
        with cluster.lock:
            instance = cluster.app_instance_named("/root", name)
            assert instance is not None
            ((_, volume),) = instance.volumes()
            return volume.size

    @property
    def initiators(self) -> list[str]:
        """All that are in an access list."""
        return [
            path.rsplit("/", 1)[-1]
            for instance in self.instances
            for storage in instance.storage_instances.values()
            for path in storage.initiators
        ]

    @property
    def online(self) -> bool:
        """Whether any app instance is."""
        return any(instance.admin_state == "online" for instance in self.instances)

    def assert_quiet(self) -> None:
        """Nothing is online, nobody may log in, nobody is logged in."""
        for instance in self.instances:
            assert instance.admin_state == "offline", f"{instance.name} is online"
            for storage in instance.storage_instances.values():
                assert storage.initiators == [], f"{instance.name} is open to initiators"
                assert storage.initiator_groups == []
        assert list(self.emulator.cluster.sessions) == []


@pytest.fixture(scope="module")
def save_cloud(
    tmp_path_factory: pytest.TempPathFactory,
    run_directory: Path,
    cinder_imported: None,
    iscsi_alone: None,
) -> Callable[[Callable[[CinderService], object]], Path]:
    """Do something in a new cloud, and stop it; return its folder, to be the ``beginning``."""
    from datera_backup.storage.backend import forget_backends
    from tests.fixtures.cinder.service import CinderService

    def save(prepare: Callable[[CinderService], object]) -> Path:
        folder = tmp_path_factory.mktemp("saved")
        with ExitStack() as running:
            emulator = running.enter_context(Emulator(state_dir=folder / "array"))
            brick.install(MINE)
            running.callback(brick.uninstall)
            cloud = CinderService(
                folder, template_folder=run_directory, defaults=options_for(emulator)
            )
            prepare(running.enter_context(cloud))
            running.callback(forget_backends)
        return folder

    return save


@pytest.fixture
def beginning() -> Path | None:
    """The saved cloud of which a test gets a copy; None for a new cloud.

    A module whose tests begin with the same backups overrides it: making them by a real Cinder
    takes longer than most tests.
    """
    return None


@pytest.fixture
def array(tmp_path: Path, beginning: Path | None) -> Iterator[Array]:
    """A cluster; after the test nobody uses it any more."""
    if beginning is not None:
        shutil.copytree(beginning, tmp_path, copy_function=copy_sparse, dirs_exist_ok=True)
    with Emulator(state_dir=tmp_path / "array") as emulator:
        brick.install(MINE)
        array = Array(emulator)
        yield array
        brick.uninstall()
        array.assert_quiet()


def copy_sparse(source: str, target: str) -> None:
    """Copy a file with its mode, holes as holes."""
    with open(source, "rb") as old, open(target, "wb") as new:
        clone_range(old.fileno(), new.fileno())
    shutil.copymode(source, target)


def options_for(emulator: Emulator, **changes: Any) -> str:
    """The lines of ``[DEFAULT]`` for backups on this cluster; None leaves an option out."""
    options: dict[str, Any] = {
        "backup_driver": "datera_backup.driver.DateraBackupDriver",
        "backup_datera_san_ip": "127.0.0.1",
        "backup_datera_san_login": emulator.username,
        "backup_datera_san_password": emulator.password,
        "backup_datera_api_port": emulator.https_port,
        "backup_datera_ssl_cert_verify": True,
        "backup_datera_ssl_cert_path": emulator.ca_bundle,
        "backup_datera_503_timeout": 2,
        "backup_datera_503_interval": 1,
    }
    options.update(changes)
    return "\n".join(f"{name} = {value}" for name, value in options.items() if value is not None)


@pytest.fixture
def options(array: Array) -> Callable[..., str]:
    """The lines of ``[DEFAULT]`` for backups on the array, with changes."""
    return lambda **changes: options_for(array.emulator, **changes)


@pytest.fixture
def start_cloud(
    array: Array,
    start_cinder: Callable[..., CinderService],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., CinderService]]:
    """Start a Cinder that keeps its backups on the array, with changes to its options."""
    # The driver can be imported only after Cinder's objects have been registered.
    from datera_backup.operations import progress
    from datera_backup.storage import host
    from datera_backup.storage.backend import forget_backends

    monkeypatch.setattr(host, "CONNECT_ATTEMPTS", 1)
    monkeypatch.setattr(progress, "SLICE_SECONDS", 0.01)

    def start(**changes: Any) -> CinderService:
        return start_cinder(defaults=options_for(array.emulator, **changes))

    yield start
    forget_backends()


@pytest.fixture
def cloud(start_cloud: Callable[..., CinderService]) -> CinderService:
    """A Cinder that keeps its backups on the array."""
    return start_cloud()


class Content:
    """Called with a volume of this cloud, returns all bytes of it."""

    def __init__(self, cloud: CinderService) -> None:
        self.cloud = cloud

    def __call__(self, volume: Any) -> bytes:
        return self.cloud.read(volume, 0, 2**30)


@pytest.fixture
def content(cloud: CinderService) -> Content:
    """Reads all bytes of a volume."""
    return Content(cloud)


@pytest.fixture
def attachments(cloud: Any) -> Attachments:
    """Those of a process that has not looked for leftovers."""
    from oslo_config import cfg

    from datera_backup.settings import read_settings
    from datera_backup.storage import leftovers
    from datera_backup.storage.backend import backend_for

    leftovers.forget_all()
    return backend_for(read_settings(cfg.CONF)).attachments


@pytest.fixture
def container(attachments: Attachments, array: Any) -> Any:
    """A container that was made and not used yet."""
    from datera_volume.connection import NewAppInstance

    made = attachments._tenant.create_app_instance(
        NewAppInstance(name=NAME, size_gib=1, descr="Cinder backup container of volume x")
    )
    return attachments._tenant.set_offline(made)


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[Any]:
    """Another process of this host that uses the container too, until its input ends."""
    path = tmp_path / "locks" / f"datera-backup-users-{NAME}"
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield process
        if process.poll() is None:
            process.communicate(b"")
