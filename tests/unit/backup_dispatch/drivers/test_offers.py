# SPDX-License-Identifier: Apache-2.0
"""What a driver offers beside Cinder's methods: by itself, or by an adapter for Cinder's own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cinder import objects

objects.register_all()

from cinder.backup.driver import BackupDriver  # noqa: E402 - after Cinder's objects
from cinder.backup.drivers.ceph import CephBackupDriver  # noqa: E402
from cinder.backup.drivers.posix import PosixBackupDriver  # noqa: E402
from cinder.backup.drivers.swift import SwiftBackupDriver  # noqa: E402

import backup_dispatch  # noqa: E402
from backup_dispatch.drivers import interface  # noqa: E402
from backup_dispatch.drivers.ceph import CephAdapter  # noqa: E402
from backup_dispatch.drivers.chunked import ChunkedAdapter  # noqa: E402
from backup_dispatch.drivers.custody import cannot_hold  # noqa: E402
from backup_dispatch.drivers.offers import offered  # noqa: E402
from backup_dispatch.testing.signatures import disagreements, offered_by  # noqa: E402
from datera_backup.driver import DateraBackupDriver  # noqa: E402
from tests.fixtures.backends.tape_driver import TapeBackupDriver  # noqa: E402


def test_datera_driver_offers_everything_as_promised() -> None:
    assert set(offered_by(DateraBackupDriver)) == set(interface.ALL)
    assert disagreements(DateraBackupDriver) == []


@pytest.mark.parametrize("driver_class", [PosixBackupDriver, SwiftBackupDriver, TapeBackupDriver])
def test_other_drivers_keep_the_promises_of_what_they_offer(driver_class: type[Any]) -> None:
    assert disagreements(driver_class) == []


def test_driver_that_offers_something_is_asked_itself() -> None:
    driver = SimpleNamespace(holds=lambda _backup: True)
    assert offered(driver, interface.SupportsHolds) is driver
    assert offered(driver, interface.SupportsStoredSize) is None


@pytest.mark.parametrize(
    ("driver_class", "adapter"),
    [(PosixBackupDriver, ChunkedAdapter), (CephBackupDriver, CephAdapter)],
)
def test_adapter_answers_for_drivers_of_cinder(driver_class: Any, adapter: type[Any]) -> None:
    driver = driver_class.__new__(driver_class)
    assert isinstance(offered(driver, interface.SupportsHolds), adapter)
    assert isinstance(offered(driver_class, interface.SupportsMayHold), adapter)
    assert offered(driver, interface.SupportsVerify) is None


def test_driver_with_a_method_set_to_none_does_not_offer_it() -> None:
    class Mute(TapeBackupDriver):
        holds = None  # type: ignore[assignment]

    assert offered(Mute, interface.SupportsHolds) is None


def test_record_proves_nothing_where_a_driver_of_cinder_was_given_its_own_holds() -> None:
    class Elsewhere(PosixBackupDriver):
        def holds(self, _backup: Any) -> bool | None:
            return None

    record = SimpleNamespace(container=None, service_metadata=None)
    assert cannot_hold(PosixBackupDriver, record) is True
    assert cannot_hold(Elsewhere, record) is False


def test_disagreements_name_what_is_missing_and_what_cannot_be_called() -> None:
    class Wrong(BackupDriver):
        def holds(self) -> bool:
            return True

        def may_hold(self, _backup: Any) -> bool:
            return True

        def orphans(self) -> list[Any]:
            return []

        def verify_sample(self, _backup: Any, _progress: Any, *, share: float) -> Any:
            return share

    found = "\n".join(disagreements(Wrong))
    assert "SupportsHolds: holds cannot be called with (self, backup)" in found
    assert "SupportsMayHold: may_hold must be a static method" in found
    assert "SupportsOrphans: remove_orphan is missing" in found
    assert "verify_sample cannot be called with (self, backup, progress, share=…, seed=…)" in found
    assert len(found.splitlines()) == 4


def probed_in(source: str) -> Iterator[str]:
    """The names that a module asks an object for by getattr or hasattr."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(ast.Name("getattr" | "hasattr"), [_, ast.Constant(str(name)), *_]):
                yield name


def test_no_module_probes_a_driver_for_what_a_protocol_names() -> None:
    names = {name for one in interface.ALL for name in vars(one) if not name.startswith("_")}
    (package,) = backup_dispatch.__path__
    probing = {
        (path.name, name)
        for path in Path(package).rglob("*.py")
        for name in probed_in(path.read_text())
        if name in names
    }
    assert not probing


def test_driver_that_delegates_offers_what_it_delegates_to() -> None:
    class Delegating:
        """A driver around another one."""

        def __getattr__(self, name: str) -> Any:
            if name == "holds":
                return lambda _backup: True
            raise AttributeError(name)

    driver = Delegating()
    assert offered(driver, interface.SupportsHolds) is driver
    assert offered(driver, interface.SupportsVerify) is None
