# SPDX-License-Identifier: Apache-2.0
"""The driver is what this release of Cinder takes for a volume driver, call by call.

Cinder's own test of compliance asks ``issubclass(driver, VolumeDriverCore)``, which holds for any
class; here the signatures are compared.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from cinder import interface, objects
from cinder.interface import base, util

objects.register_all()

from cinder.volume import driver  # noqa: E402 -- only once Cinder's objects are registered

from datera_volume.driver import DateraDriver  # noqa: E402

pytestmark = pytest.mark.release


def interfaces() -> list[type]:
    """Cinder's interfaces of volume drivers."""
    found = []
    for module in pkgutil.iter_modules(interface.__path__):
        if module.name.startswith("volume_"):
            inside = vars(importlib.import_module(f"cinder.interface.{module.name}"))
            found += [
                one
                for one in inside.values()
                if inspect.isclass(one)
                and issubclass(one, base.CinderInterface)
                and one.__module__.endswith(module.name)
            ]
    return found


def calls(contract: type) -> Iterator[tuple[str, Any]]:
    """What a class of Cinder's says that can be called from outside."""
    for name, asked in inspect.getmembers(contract, inspect.isfunction):
        if not name.startswith("_"):
            yield name, asked


def mismatch(asked: Any, given: Any) -> str | None:
    """Why what is asked for cannot be had from what is given; None where it can."""
    wanted = list(inspect.signature(asked).parameters.values())
    offered = list(inspect.signature(given).parameters.values())
    takes_more = any(p.kind is p.VAR_POSITIONAL for p in offered)
    takes_words = any(p.kind is p.VAR_KEYWORD for p in offered)
    plain = [p for p in offered if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    for place, one in enumerate(p for p in wanted if p.kind is p.POSITIONAL_OR_KEYWORD):
        if place < len(plain):
            # Where Cinder's own declarations call one parameter by two names, ours has none.
            if plain[place].name != one.name and plain[place].kind is not one.POSITIONAL_ONLY:
                return f"parameter {place} is {plain[place].name}, not {one.name}"
            if one.default is not one.empty and plain[place].default is one.empty:
                return f"{one.name} must be given"
        elif not (takes_more or (takes_words and one.default is not one.empty)):
            return f"{one.name} is not taken"
    names = {p.name for p in wanted}
    needed = [
        p.name
        for place, p in enumerate(plain)
        if p.default is p.empty
        and p.name not in names
        and not (p.kind is p.POSITIONAL_ONLY and place < len(wanted))
    ]
    return f"{needed} would never be given" if needed else None


def ours() -> set[str]:
    """The names that this distribution's classes define."""
    return {
        name
        for one in DateraDriver.__mro__
        if one.__module__.startswith("datera_volume")
        for name in vars(one)
        if not name.startswith("_")
    }


@pytest.mark.parametrize("contract", interfaces(), ids=lambda one: one.__name__)
def test_each_call_of_cinders_interfaces_is_taken_as_cinder_makes_it(contract: type) -> None:
    compared = 0
    for name, asked in calls(contract):
        if name in ours() or contract.__name__ == "VolumeDriverCore":
            assert hasattr(DateraDriver, name), name
        if name in ours():
            assert mismatch(asked, getattr(DateraDriver, name)) is None, name
            compared += 1
    if contract.__name__ == "VolumeDriverCore":
        assert compared >= 10


def test_what_is_overridden_keeps_the_signature_of_cinders_own_class() -> None:
    overridden = [
        (name, asked)
        for contract in (driver.ISCSIDriver, driver.VolumeDriver)
        for name, asked in calls(contract)
        if name in ours()
    ]
    assert len(overridden) >= 15
    wrong = {name: mismatch(asked, getattr(DateraDriver, name)) for name, asked in overridden}
    assert {name: why for name, why in wrong.items() if why} == {}


def test_nothing_that_a_driver_must_do_is_left_to_cinders_empty_methods() -> None:
    """What Cinder asks of every driver in its support matrix."""
    needed = {
        "create_volume",
        "delete_volume",
        "extend_volume",
        "create_snapshot",
        "delete_snapshot",
        "create_volume_from_snapshot",
        "create_cloned_volume",
        "initialize_connection",
        "terminate_connection",
        "retype",
    }
    assert needed <= ours()
    assert DateraDriver._update_volume_stats.__module__.startswith("datera_volume")


def test_the_comparison_sees_what_is_wrong() -> None:
    def asked(self: Any, volume: Any, size: int = 1) -> None: ...

    def renamed(self: Any, vol: Any, size: int = 1) -> None: ...

    def short(self: Any, volume: Any) -> None: ...

    def stern(self: Any, volume: Any, size: int) -> None: ...

    def greedy(self: Any, volume: Any, size: int = 1, *, more: int, other: Any = None) -> None: ...

    def demanding(self: Any, volume: Any, size: int, context: Any) -> None: ...

    assert mismatch(asked, asked) is None
    assert all(mismatch(asked, wrong) for wrong in (renamed, short, stern, demanding))
    assert mismatch(asked, lambda self, volume, **more: None) is None
    assert mismatch(asked, greedy) is None


def test_cinder_lists_it_with_version_ci_and_options() -> None:
    (listed,) = [util.DriverInfo(one) for one in interface._volume_register if one is DateraDriver]
    assert listed.class_fqn == "datera_volume.driver.DateraDriver"
    assert listed.version == DateraDriver.VERSION
    assert listed.ci_wiki_name == "datera-ci"
    assert listed.supported
    assert {"san_ip", "datera_tenant_id"} <= {option.name for option in listed.driver_options}
    assert isinstance(listed.desc, str)
