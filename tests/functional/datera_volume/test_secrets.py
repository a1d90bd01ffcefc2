# SPDX-License-Identifier: Apache-2.0
"""A whole life of volumes with every log at DEBUG, and not one secret in it."""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator
from datera_volume.connection import Tenant

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

PASSWORD = "battery-staple-9"
CHAP_SECRET = "chap-secret-15c"


@pytest.fixture
def emulator(start_emulator: Callable[..., Emulator]) -> Emulator:
    return start_emulator(password=PASSWORD)


def every_operation(
    service: CinderService, emulator: Emulator, hosts: Any, keys: list[str], secrets: list[str]
) -> list[str]:
    """Call all that the driver offers, working and failing; return exceptions' texts and reprs.

    What an operation comes to does not matter here: the cluster's answers repeat every secret.
    """
    driver = service.volume_manager.driver
    volume, other = service.create_volume(1), service.create_volume(1)
    snapshot = service.create_snapshot(volume)
    known: dict[str, Any] = {
        "context": service.context,
        "volume": service.volume(volume.id),
        "src_vref": service.volume(other.id),
        "snapshot": snapshot,
        "new_size": 2,
        "connector": hosts.connector("one"),
        "existing_ref": {"source-name": f"OS-{other.id}"},
        "volumes": [service.volume(volume.id)],
        "snapshots": [snapshot],
        "cinder_volumes": [],
        "cinder_snapshots": [],
        "limit": 10,
        "offset": 0,
        "sort_keys": ["size"],
        "sort_dirs": ["asc"],
    }
    told = [repr(driver.settings), repr(driver.cluster), repr(driver.settings.cluster)]
    operations = sorted(
        {
            name
            for owner in type(driver).__mro__
            if owner.__module__.startswith("datera_volume")
            for name, member in vars(owner).items()
            if callable(member) and not name.startswith("_")
        },
        key=lambda name: ("delete" in name, name),
    )
    assert {"create_volume", "initialize_connection", "delete_snapshot"} <= set(operations)
    for failing in (True, False):
        for name in operations:
            if failing:
                told_back = " ".join([PASSWORD, keys[-1], *secrets])
                echo = {"message": f"no {told_back}", "params": keys[-1]}
                emulator.faults.answer(500, echo, times=None)
            operation = getattr(driver, name)
            wanted = inspect.signature(operation).parameters.values()
            parameters = [p for p in wanted if p.kind != p.VAR_KEYWORD]
            try:
                told.append(repr(operation(*[known.get(p.name) for p in parameters])))
            except Exception as exc:
                told += [str(exc), repr(exc), *traceback.format_exception(exc)]
            emulator.faults.clear()
    # Cinder itself is told the secret, to hand it to the host that attaches.
    return [text for text in told if "auth_password" not in text]


def test_no_password_key_or_chap_secret_is_logged(
    start_datera: Callable[..., CinderService],
    emulator: Emulator,
    hosts: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys: list[str] = []
    issue = emulator.cluster.tokens.issue

    def remembered() -> str:
        keys.append(issue())
        return keys[-1]

    monkeypatch.setattr(emulator.cluster.tokens, "issue", remembered)
    secrets: list[str] = []
    set_chap = Tenant.set_chap

    def seen(tenant: Tenant, storage: Any, user: str | None, secret: str | None) -> None:
        if secret is not None and secret not in secrets:
            secrets.append(secret)
        set_chap(tenant, storage, user, secret)

    monkeypatch.setattr(Tenant, "set_chap", seen)
    caplog.set_level(logging.DEBUG)
    service = start_datera(
        f"use_chap_auth = True\nchap_username = cinder\nchap_password = {CHAP_SECRET}\n"
        "datera_debug = True\n"
    )
    volume = service.create_volume(1)
    snapshot = service.create_snapshot(volume)
    copy = service.create_volume(2, snapshot=snapshot)
    attachment = hosts(service).attach(volume, "one")
    driver = service.volume_manager.driver
    tenant = driver.cluster.tenant()
    emulator.cluster.tokens.revoke_all()
    chap_password = driver.settings.chap.of(tenant.app_instance(f"OS-{copy.id}")).secret
    emulator.faults.answer(422, {"message": "no", "params": chap_password}, path=".*/auth")
    with pytest.raises(Exception, match="no"):
        hosts(service).attach(copy, "one")
    hosts(service).detach(attachment)
    service.volumes.delete_snapshot(service.context, snapshot)
    service.delete_volume(volume)
    assert len(set(secrets)) >= 2
    told = every_operation(service, emulator, hosts, keys, secrets)
    # What the emulator logs, it logs in another process, in a cloud on another machine.
    records = [r for r in caplog.records if not r.name.startswith("datera_emulator")]
    own = [r for r in records if r.name.startswith("datera_volume")]
    assert len(own) > 40
    assert len(keys) >= 2
    everything = "\n".join([*(logging.Formatter().format(r) for r in records), *told])
    for secret in (PASSWORD, CHAP_SECRET, *keys, *secrets):
        assert secret not in everything
    assert "Creating volume" in everything
