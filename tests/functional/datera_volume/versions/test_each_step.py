# SPDX-License-Identifier: Apache-2.0
"""Each request of an operation fails once: it is done wholly, or all is as it was, and on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from cinder import exception

from datera_emulator.faults.outcomes import Wish

pytestmark = pytest.mark.faults

REFUSAL = {"name": "InvalidRequestError", "message": "Not now."}
# Kind of fault, what it says, and whether the request takes effect all the same.
TROUBLES: dict[str, tuple[str, Wish, bool]] = {
    "a refusal": ("answer", Wish(status=400, body=REFUSAL), False),
    "an invalid value": ("answer", Wish(status=422, body=REFUSAL), False),
    "a conflict": ("answer", Wish(status=409, body=REFUSAL), False),
    "a missing permission": ("answer", Wish(status=403, body=REFUSAL), False),
    "a fault": ("answer", Wish(status=500), False),
    "a fault after the effect": ("answer", Wish(status=500), True),
    "a page": ("html", Wish(status=502), False),
    "a page after the effect": ("html", Wish(status=502), True),
    "something else": ("wrong_body", Wish(), True),
    "no answer": ("drop", Wish(), False),
    "no answer after the effect": ("drop", Wish(), True),
    "an ended session": ("expired_token", Wish(), False),
}
MOST_REQUESTS = 40


@dataclasses.dataclass
class Operation:
    """What is done to a volume of which type, and how it shows that it was done."""

    specs: dict[str, str]
    do: Callable[[Any, Any], Any]
    shows: Callable[[tuple[Any, ...]], bool]
    snapshot: bool = False
    managed: bool = False


def state_of(array: Any) -> tuple[Any, ...] | None:
    """All that an operation changes, as the cluster has it; None where nothing is there."""
    if not array.emulator.cluster.app_instances:
        return None
    (found,) = array.emulator.cluster.app_instances.values()
    ((storage, inside),) = found.volumes()
    limits = {name: most for name, most in (inside.performance_policy or {}).items() if most}
    return (
        found.admin_state,
        storage.ip_pool,
        inside.size,
        inside.replica_count,
        inside.placement_mode,
        limits,
        storage.access_control_mode,
        found.name,
    )


def retype(array: Any, volume: Any) -> None:
    """Change all that can be changed in place, and raise where it was not."""
    open_to_all = array.stored(volume)[1].access_control_mode == "allow_all"
    new = array.volume_type(**GOLD, acl_allow_all=str(open_to_all))
    if not array.driver.retype(array.service.context, volume, new, {}, {"host": volume.host}):
        raise exception.VolumeBackendAPIException(data="it was not retyped in place")


def revert(array: Any, volume: Any) -> None:
    """Put it back to its only snapshot."""
    from cinder import objects

    (snapshot,) = objects.SnapshotList.get_all_for_volume(array.service.context, volume.id)
    array.driver.revert_to_snapshot(array.service.context, volume, snapshot)


def manage(array: Any, given_up: Any) -> None:
    """Make a volume that was given up one of another type, which is closed."""
    volume = array.record(1, array.volume_type(**GOLD))
    array.driver.manage_existing(volume, {"source-name": f"UNMANAGED-{given_up.id}"})


GOLD = {
    "replica_count": "3",
    "placement_mode": "all_flash",
    "ip_pool": "fast",
    "total_iops_max": "7",
}
IS_GOLD = ("fast", 1, 3, "all_flash", {"total_iops_max": 7})
SILVER = {"replica_count": "1", "iops_per_gb": "5", "ip_pool": "slow"}
OPERATIONS = {
    "extend": Operation(
        SILVER,
        lambda array, volume: array.driver.extend_volume(volume, 2),
        lambda state: (state[2], state[5]) == (2, {"total_iops_max": 10}),
    ),
    "retype": Operation(SILVER, retype, lambda state: state[1:6] == IS_GOLD),
    "manage": Operation(
        SILVER,
        manage,
        lambda state: state[1:7] == (*IS_GOLD, "deny_all") and state[7].startswith("OS-"),
        managed=True,
    ),
    "revert": Operation(SILVER, revert, lambda state: state[2] == 1, snapshot=True),
    "delete": Operation(
        SILVER, lambda array, volume: array.driver.delete_volume(volume), lambda state: False
    ),
}


def prepared(array: Any, operation: Operation, *, open_to_all: bool) -> Any:
    """A volume that is on, of the type that the operation begins with."""
    volume = array.volume(1, array.volume_type(**operation.specs, acl_allow_all=str(open_to_all)))
    if operation.snapshot:
        array.snapshot(volume)
    if operation.managed:
        array.driver.unmanage(volume)
    return volume


@pytest.fixture
def pooled(old: Any) -> Any:
    """A cluster where most is possible offline only, with two more pools."""
    for name in ("slow", "fast"):
        if not any(pool == name for pool in old.emulator.cluster.ip_pools):
            old.ask("/access_network_ip_pools", name=name)
    return old


@pytest.mark.parametrize("open_to_all", [False, True])
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_is_done_or_undone_whichever_request_fails(
    pooled: Any, name: str, trouble: str, *, open_to_all: bool
) -> None:
    operation, (kind, wish, applied) = OPERATIONS[name], TROUBLES[trouble]
    for nth in range(1, MOST_REQUESTS):
        volume = prepared(pooled, operation, open_to_all=open_to_all)
        before = state_of(pooled)
        fault = pooled.emulator.faults.kind(kind, wish, path="/app_instances.*", nth=nth)
        fault.applied = applied
        try:
            operation.do(pooled, volume)
        except exception.CinderException:
            after = state_of(pooled)
            if operation.managed and after is not None and before is not None:
                # Replicas only grow: where access for all could not be ended, they have.
                after = (*after[:3], before[3], *after[4:])
            assert after == before, (trouble, nth)
        else:
            after = state_of(pooled)
            if after is None:
                assert name == "delete", (trouble, nth)
            else:
                assert operation.shows(after), (trouble, nth)
                assert after[0] == "online" or after[6] == "deny_all", (trouble, nth)
        pooled.emulator.faults.clear()
        with pooled.emulator.cluster.transaction():
            for left in list(pooled.emulator.cluster.app_instances.values()):
                pooled.emulator.cluster.forget(left)
        if not fault.hits:
            return
    raise AssertionError(f"{name} asks more than {MOST_REQUESTS} times")
