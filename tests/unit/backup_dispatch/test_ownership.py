# SPDX-License-Identifier: Apache-2.0
"""Which of several backends of one store has a backup that all of them reach."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cinder import objects

objects.register_all()

from cinder.backup.drivers.ceph import CephBackupDriver  # noqa: E402 - after Cinder's objects
from cinder.backup.drivers.swift import SwiftBackupDriver  # noqa: E402

from backup_dispatch.backends.configured import Backend, Backends, with_owners  # noqa: E402
from backup_dispatch.backends.sections import Configured  # noqa: E402
from backup_dispatch.errors import BackendDown  # noqa: E402
from backup_dispatch.ownership import NeverWritten, Ownership, SeveralHold  # noqa: E402
from backup_dispatch.records import DISPATCHER, IMPORTED  # noqa: E402

PLACE = {SwiftBackupDriver: "backup_default_container", CephBackupDriver: "_ceph_backup_pool"}


def record(container: str | None, hint: str | None = None, **more: Any) -> Any:
    fields: dict[str, Any] = {
        "id": "b1",
        "service": IMPORTED,
        "container": container,
        "service_metadata": "prefix",
        "object_count": 1,
        "fail_reason": None,
        "metadata": {"backup_backend": hint} if hint else {},
    }
    return SimpleNamespace(**{**fields, **more})


def ownership(driver_class: Any, *, down: str = "") -> Ownership:
    """Two backends of one store, each with a place of its own; both reach whatever is there."""
    enabled = tuple(
        with_owners([(name, Configured(driver_class)) for name in ("east", "west", "north")])
    )

    def driver_of(backend: Backend) -> Any:
        if backend.name == down:
            raise BackendDown(down, "no answer")
        reaches = backend.name != "north"
        own = {"__init__": lambda _self: None, "holds": lambda _self, _backup: reaches}
        driver: Any = type("Standing", (driver_class,), own)()
        setattr(driver, PLACE[driver_class], f"of_{backend.name}")
        return driver

    return Ownership(Backends(enabled, enabled[0], frozenset()), driver_of)


@pytest.mark.parametrize("driver_class", PLACE)
@pytest.mark.parametrize("hint", [None, "east", "west", "north", "of_another_cloud"])
def test_the_backend_that_is_configured_for_the_records_place_has_the_backup(
    driver_class: Any, hint: str | None
) -> None:
    assert ownership(driver_class).find(record("of_west", hint)).name == "west"


def test_a_place_that_a_user_named_is_of_the_backend_that_the_property_names() -> None:
    assert ownership(SwiftBackupDriver).find(record("my_own", "west")).name == "west"


def test_a_place_of_no_backend_is_not_guessed() -> None:
    with pytest.raises(SeveralHold, match="several backends have data of it: east, west"):
        ownership(SwiftBackupDriver).find(record("my_own"))


def test_a_place_is_not_taken_for_an_answer_while_a_backend_is_down() -> None:
    with pytest.raises(SeveralHold):
        ownership(SwiftBackupDriver, down="north").find(record("of_east"))


def test_no_backend_of_cinder_is_asked_for_what_was_never_written() -> None:
    failed = record(None, service=DISPATCHER, service_metadata=None, object_count=0)
    enabled = tuple(with_owners([("swift", Configured(SwiftBackupDriver))]))
    asked: list[Backend] = []
    ownership = Ownership(Backends(enabled, enabled[0], frozenset()), asked.append)
    with pytest.raises(NeverWritten, match="Backup b1 failed before any backend was called"):
        ownership.find(failed)
    assert not asked
