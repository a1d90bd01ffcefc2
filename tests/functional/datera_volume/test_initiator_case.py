# SPDX-License-Identifier: Apache-2.0
"""Hosts with capitals in their initiators' names, on clusters that fold case and that do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator, Switches

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService


@pytest.fixture(params=["distinct", "folded"])
def emulator(request: pytest.FixtureRequest, start_emulator: Callable[..., Emulator]) -> Emulator:
    return start_emulator(switches=Switches(initiator_case=request.param))


def inside(emulator: Emulator, stored: Any) -> list[str]:
    ((storage, _volume),) = stored.volumes()
    return sorted(storage.initiators)


def test_a_host_with_capitals_in_its_iqn_is_attached_and_detached(
    start_datera: Callable[..., CinderService], stored: Any, hosts: Any, emulator: Emulator
) -> None:
    service = start_datera()
    shared = service.create_volume_type("shared", {"multiattach": "<is> True"})
    volume = service.create_volume(1, volume_type=shared)
    one = hosts(service).attach(volume, "ONE")
    two = hosts(service).attach(volume, "two")
    again = hosts(service).attach(volume, "ONE")
    iqn = emulator.cluster.initiator_id("iqn.1994-05.com.redhat:ONE")
    assert inside(emulator, stored(volume)) == sorted([iqn, "iqn.1994-05.com.redhat:two"])
    hosts(service).detach(one)  # the same host has another attachment
    assert iqn in inside(emulator, stored(volume))
    hosts(service).detach(two)
    assert inside(emulator, stored(volume)) == [iqn]
    assert stored(volume).admin_state == "online"
    hosts(service).detach(again)
    assert inside(emulator, stored(volume)) == []
    assert stored(volume).admin_state == "offline"


def test_detaching_a_host_with_capitals_in_its_iqn_keeps_others(
    start_datera: Callable[..., CinderService], stored: Any, hosts: Any, emulator: Emulator
) -> None:
    service = start_datera()
    shared = service.create_volume_type("shared", {"multiattach": "<is> True"})
    volume = service.create_volume(1, volume_type=shared)
    capital, other = (hosts(service).attach(volume, host) for host in ("ONE", "two"))
    hosts(service).detach(capital)
    assert inside(emulator, stored(volume)) == ["iqn.1994-05.com.redhat:two"]
    assert len(emulator.cluster.initiators) == 1
    hosts(service).detach(other)
    assert not emulator.cluster.initiators


def test_one_host_in_two_spellings_keeps_access_until_both_are_detached(
    start_datera: Callable[..., CinderService], stored: Any, hosts: Any, emulator: Emulator
) -> None:
    service = start_datera()
    shared = service.create_volume_type("shared", {"multiattach": "<is> True"})
    volume = service.create_volume(1, volume_type=shared)
    small = hosts(service).attach(volume, "host")
    large = hosts(service).attach(volume, "HOST")
    spellings = ("iqn.1994-05.com.redhat:host", "iqn.1994-05.com.redhat:HOST")
    names = {emulator.cluster.initiator_id(one) for one in spellings}
    assert inside(emulator, stored(volume)) == sorted(names)
    hosts(service).detach(small)
    assert emulator.cluster.initiator_id(spellings[1]) in inside(emulator, stored(volume))
    hosts(service).detach(large)
    assert inside(emulator, stored(volume)) == []
    assert not emulator.cluster.initiators
