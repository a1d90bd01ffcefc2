# SPDX-License-Identifier: Apache-2.0
"""Clusters of every product generation, spoken to in every API version, behind one Cinder.

All tests of a module share them: each makes what it needs and takes it away again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator

if TYPE_CHECKING:
    from datera_volume.driver import DateraDriver
    from tests.fixtures.cinder.service import CinderService

# API version and product version: before 3.0, between 3.0 and 3.3, and from 3.3 on.
GENERATIONS = {
    "2.1 of 2.2.7": ("2.1", "2.2.7.0"),
    "2.1 of 3.3.1": ("2.1", "3.3.1.0"),
    "2.2 of 3.2.5": ("2.2", "3.2.5.0"),
    "2.2 of 3.3.1": ("2.2", "3.3.1.0"),
    "2.3 of 3.3.1": ("2.3", "3.3.1.0"),
}
SECTION = """\
[{name}]
san_ip = 127.0.0.1
san_login = {emulator.username}
san_password = {emulator.password}
driver_use_ssl = False
datera_api_port = {emulator.http_port}
datera_api_version = {api}
"""


@dataclasses.dataclass
class Array:
    """One cluster, and a driver of a Cinder that works on it."""

    service: CinderService
    emulator: Emulator
    section: str
    api: str
    product: tuple[int, ...]

    def __post_init__(self) -> None:
        self.driver = self.another_driver()

    def another_driver(self) -> DateraDriver:
        """A driver as another process of cinder-volume would have it."""
        from cinder.volume import configuration
        from cinder.volume import driver as cinder_driver

        from datera_volume.driver import DateraDriver

        driver = DateraDriver(
            configuration=configuration.Configuration(
                cinder_driver.volume_opts, config_group=self.section
            ),
            host=f"testhost@{self.section}",
        )
        driver.do_setup(None)
        driver.check_for_setup_error()
        return driver

    @property
    def recent(self) -> bool:
        """Whether it has placement policies, and sizes other than a template's."""
        return self.api != "2.1" and self.product >= (3, 3)

    def volume_type(self, **specs: str) -> Any:
        """A new type with these specs of ours."""
        from oslo_utils import uuidutils

        scoped = {f"DF:{name}": value for name, value in specs.items()}
        return self.service.create_volume_type(uuidutils.generate_uuid(), scoped)

    def record(self, size: int = 1, volume_type: Any = None, **fields: Any) -> Any:
        """Cinder's record of a volume, before the driver has made it."""
        from cinder import objects

        context = self.service.context
        usual = {
            "size": size,
            "project_id": context.project_id,
            "user_id": context.user_id,
            "status": "available",
            "host": "testhost@array",
            "volume_type_id": (volume_type or self.volume_type()).id,
        }
        volume = objects.Volume(context, **{**usual, **fields})
        volume.create()
        return volume

    def volume(self, size: int = 1, volume_type: Any = None) -> Any:
        """A volume that the driver has made."""
        made = self.record(size, volume_type)
        made.update(self.driver.create_volume(made))
        made.save()
        return made

    def snapshot(self, volume: Any) -> Any:
        """A snapshot that the driver has made."""
        from cinder import objects

        context = self.service.context
        snapshot = objects.Snapshot(
            context,
            volume_id=volume.id,
            volume_size=volume.size,
            project_id=context.project_id,
            user_id=context.user_id,
            status="available",
        )
        snapshot.create()
        self.driver.create_snapshot(snapshot)
        return snapshot

    def stored(self, volume: Any) -> tuple[Any, Any, Any]:
        """The app instance, the storage instance and the volume on the cluster."""
        (found,) = [
            ai
            for ai in self.emulator.cluster.app_instances.values()
            if ai.name.endswith(f"-{volume.id}")
        ]
        ((storage, inside),) = found.volumes()
        return found, storage, inside

    def limits(self, volume: Any) -> dict[str, int]:
        """The limits that the cluster holds a volume to."""
        _ai, _storage, inside = self.stored(volume)
        return {name: most for name, most in (inside.performance_policy or {}).items() if most}

    def ask(self, path: str, **body: Any) -> None:
        """Make something on the cluster, as its operator would."""
        self.driver.cluster._session.request("POST", path, body=body)

    def requests(self) -> int:
        """How many requests there were since the last time."""
        counters = self.emulator.cluster.counters
        total = counters.requests.total()
        counters.reset()
        return total

    def lock_files(self) -> set[str]:
        """What locks of the driver have left on disk."""
        return {path.name for path in self.service.directory.rglob("*cinder-datera-*")}


def consistent_group(array: Array) -> dict[str, Any]:
    """A group whose snapshots are of one moment, as far as the driver looks at it."""
    from cinder.volume import group_types
    from oslo_utils import uuidutils

    made = group_types.create(
        array.service.context,
        uuidutils.generate_uuid(),
        {"consistent_group_snapshot_enabled": "<is> True"},
    )
    return {"group_type_id": made["id"]}


@pytest.fixture(scope="module")
def arrays(
    tmp_path_factory: pytest.TempPathFactory, run_directory: Path, iscsi_alone: None
) -> Iterator[dict[str, Array]]:
    from cinder import objects

    objects.register_all()
    from tests.fixtures.cinder.service import CinderService

    folder = tmp_path_factory.mktemp("generations")
    with ExitStack() as running:
        emulators = {
            name: running.enter_context(Emulator(state_dir=folder / name, sw_version=product))
            for name, (_api, product) in GENERATIONS.items()
        }
        sections = "".join(
            SECTION.format(name=name, emulator=emulators[name], api=api)
            for name, (api, _product) in GENERATIONS.items()
        )
        service = running.enter_context(
            CinderService(folder, template_folder=run_directory, sections=sections)
        )
        arrays = {}
        for name, (api, product) in GENERATIONS.items():
            numbers = tuple(int(part) for part in product.split("."))
            arrays[name] = Array(service, emulators[name], name, api, numbers)
            running.callback(arrays[name].driver.cluster.close)
        yield arrays


@pytest.fixture(params=GENERATIONS)
def array(request: pytest.FixtureRequest, arrays: dict[str, Array]) -> Iterator[Array]:
    """A cluster of each generation in turn, with nothing on it before and after."""
    yield from _emptied(arrays[request.param])


@pytest.fixture
def recent(arrays: dict[str, Array]) -> Iterator[Array]:
    """One cluster of today, for what does not depend on its generation."""
    yield from _emptied(arrays["2.2 of 3.3.1"])


@pytest.fixture
def mapped(recent: Array) -> Iterator[Array]:
    """The same cluster with a tenant for each project."""
    yield from _with_settings(recent, tenant="Map")


@pytest.fixture
def each_mapped(array: Array) -> Iterator[Array]:
    """A cluster of each generation with a tenant for each project."""
    yield from _with_settings(array, tenant="Map")


@pytest.fixture
def each_caching(array: Array) -> Iterator[Array]:
    """A cluster of each generation, keeping images."""
    yield from _with_settings(array, image_cache=True)


@pytest.fixture
def caching(recent: Array) -> Iterator[Array]:
    """The same cluster, keeping images."""
    yield from _with_settings(recent, image_cache=True)


def _with_settings(array: Array, **changes: Any) -> Iterator[Array]:
    usual = array.driver.settings
    array.driver._settings = dataclasses.replace(usual, **changes)
    yield array
    array.driver._settings = usual


@pytest.fixture
def old(arrays: dict[str, Array]) -> Iterator[Array]:
    """One cluster of the oldest generation, where volumes grow only offline."""
    yield from _emptied(arrays["2.1 of 2.2.7"])


def _emptied(array: Array) -> Iterator[Array]:
    cluster = array.emulator.cluster
    cluster.counters.reset()
    yield array
    array.emulator.faults.clear()
    with cluster.transaction():
        for left in list(cluster.app_instances.values()):
            cluster.forget(left)
