# SPDX-License-Identifier: Apache-2.0
"""A whole life of volumes with every log at DEBUG, and not one secret in it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator

if TYPE_CHECKING:
    from tests.fixtures.cinder_service import CinderService

PASSWORD = "battery-staple-9"
CHAP_SECRET = "chap-secret-15c"


@pytest.fixture
def emulator(start_emulator: Callable[..., Emulator]) -> Emulator:
    return start_emulator(password=PASSWORD)


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
    caplog.set_level(logging.DEBUG)
    service = start_datera(
        f"use_chap_auth = True\nchap_username = cinder\nchap_password = {CHAP_SECRET}\n"
        "datera_debug = True\n"
    )
    volume = service.create_volume(1)
    snapshot = service.create_snapshot(volume)
    copy = service.create_volume(2, snapshot=snapshot)
    attachment = hosts(service).attach(volume, "one")
    emulator.cluster.tokens.revoke_all()
    emulator.faults.answer(422, {"message": "no", "params": CHAP_SECRET}, path=".*/auth")
    with pytest.raises(Exception, match="no"):
        hosts(service).attach(copy, "one")
    hosts(service).detach(attachment)
    service.volumes.delete_snapshot(service.context, snapshot)
    service.delete_volume(volume)
    # What the emulator logs, it logs in another process, in a cloud on another machine.
    records = [r for r in caplog.records if not r.name.startswith("datera_emulator")]
    own = [r for r in records if r.name.startswith("datera_volume")]
    assert len(own) > 40
    assert len(keys) >= 2
    everything = "\n".join(logging.Formatter().format(record) for record in records)
    for secret in (PASSWORD, CHAP_SECRET, *keys):
        assert secret not in everything
    assert "Creating volume" in everything
