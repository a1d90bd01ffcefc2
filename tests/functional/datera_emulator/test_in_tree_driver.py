# SPDX-License-Identifier: Apache-2.0
"""The driver that Cinder ships, with the published SDK and only its import mended, works here.

It is known what is wrong with it; what it does on an array it does on the emulator.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from oslo_config import cfg

from datera_emulator import Emulator
from tests.fixtures.datera.published_sdk import opener

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

PACKAGE = "cinder.volume.drivers.datera"
# The API version that it speaks, and products with that version.
PAIRS = [("2.1", "2.2.7.1"), ("2.1", "3.3.0.0"), ("2.2", "3.2.1.0"), ("2.2", "3.3.0.0")]
CONNECTOR = {
    "initiator": "iqn.1994-05.com.redhat:one",
    "host": "one",
    "ip": "192.0.2.7",
    "multipath": False,
}
BACKEND = f"""\
volume_driver = {PACKAGE}.datera_iscsi.DateraDriver
san_ip = 127.0.0.1
san_login = admin
san_password = password
datera_debug_replica_count_override = True
"""


@pytest.fixture
def own_options() -> Iterator[None]:
    """Put options of its names aside that our driver has registered in this process, and back."""
    ours = [(one._opts, dict(one._opts)) for one in (cfg.CONF, *cfg.CONF._groups.values())]

    def put_aside() -> None:
        for group in (cfg.CONF, *cfg.CONF._groups.values()):
            for name in [name for name in group._opts if name.startswith("datera_")]:
                del group._opts[name]

    put_aside()
    # Whichever of the two drivers was loaded first, these are what its module registers.
    common = sys.modules.get(f"{PACKAGE}.datera_iscsi")
    if common is not None:
        cfg.CONF.register_opts(common.d_opts)
    yield
    put_aside()
    for options, before in ours:
        options.update(before)


@pytest.fixture
def in_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_options: None
) -> Iterator[Callable[..., None]]:
    """Let the driver speak to an emulator in one version, and never sleep."""
    sdk = opener(tmp_path, monkeypatch)
    next(sdk)
    dfs_sdk = importlib.import_module("dfs_sdk")
    names = ("datera_common", "datera_api21", "datera_api22", "datera_iscsi")
    modules = {name: importlib.import_module(f"{PACKAGE}.{name}") for name in names}

    def get_api(*arguments: Any, **more: Any) -> Any:
        # The SDK connects anew for each request: without TLS that takes a quarter of the time.
        more |= {"schema_loc": str(tmp_path / "schema"), "secure": False}
        return dfs_sdk.get_api(*arguments, **more)

    def prepare(emulator: Emulator, version: str) -> None:
        connection = importlib.import_module("dfs_sdk.connection")
        monkeypatch.setattr(connection, "REST_PORT", emulator.http_port)
        monkeypatch.setattr(modules["datera_common"], "API_VERSIONS", [version])

    exceptions = importlib.import_module("dfs_sdk.exceptions")
    told = SimpleNamespace(get_api=get_api, exceptions=exceptions)
    waits = SimpleNamespace(time=time.time, sleep=lambda _seconds: None)
    for module in modules.values():
        # Loaded before the SDK could be, they have None instead of it.
        for name, value in {"dfs_sdk": told, "dexceptions": exceptions, "time": waits}.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    yield prepare
    next(sdk, None)


@pytest.mark.parametrize(("version", "product"), PAIRS)
def test_in_tree_driver_creates_attaches_and_deletes_volumes(
    version: str,
    product: str,
    tmp_path: Path,
    start_cinder: Callable[..., CinderService],
    in_tree: Callable[..., None],
) -> None:
    with Emulator(tmp_path / "array", sw_version=product) as emulator:
        in_tree(emulator, version)
        service = start_cinder(backend=BACKEND, section="datera")
        driver = service.volume_manager.driver
        cluster = emulator.cluster
        assert driver.apiv == version

        volume = service.create_volume(1, name="A database")
        assert volume.status == "available", service.failures
        snapshot = service.create_snapshot(volume)
        assert snapshot.status == "available", service.failures
        copy = service.create_volume(1, snapshot=snapshot)
        clone = service.create_volume(2, source=volume)
        assert [copy.status, clone.status] == ["available"] * 2, service.failures
        # It asks for a clone of the new size, and compares that with itself: nothing grows.
        assert [one.size for one in cluster.volumes()] == [1, 1, 1]
        assert [one.create_mode for one in cluster.app_instances.values()] == ["openstack"] * 3

        driver.extend_volume(volume, 3)
        driver.create_export(service.context, volume, CONNECTOR)
        data = driver.initialize_connection(volume, CONNECTOR)["data"]
        (instance, storage) = cluster.target(data["target_iqn"]) or (None, None)
        assert instance is not None
        assert storage is not None
        assert instance.name == f"OS-Adatabase-{volume.id}"
        assert storage.initiators == [CONNECTOR["initiator"]]
        assert [one.size for one in storage.volumes.values()] == [3]
        driver.detach_volume(service.context, volume, SimpleNamespace(connector=CONNECTOR))
        assert (instance.admin_state, storage.initiators) == ("offline", [])
        assert driver.get_volume_stats(refresh=True)["total_capacity_gb"] == 100 * 1024

        driver.delete_snapshot(snapshot)
        for one in (volume, copy, clone):
            driver.delete_volume(one)
        assert cluster.app_instances == {}
        assert not service.failures
