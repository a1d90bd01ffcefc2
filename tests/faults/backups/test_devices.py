# SPDX-License-Identifier: Apache-2.0
"""Each read, write, flush and discard of a device fails once, or from then on, in each way.

A container's device may also do something else than it says. A volume's may not: what a volume
gave when it was read is what is backed up, and nobody reads what a restore has written.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest

from tests.faults.backups.operations import OPERATIONS
from tests.fixtures.faults.extent import portion
from tests.fixtures.faults.failing_devices import FAULTS, TOLD, FailingDevices
from tests.fixtures.faults.kth import Kth

if TYPE_CHECKING:
    from tests.faults.backups.walking import Inject, Walker

FAILING = {
    name: one for name, one in OPERATIONS.items() if name != "create the first one of a process"
}


def failing(walker: Walker, device: str, call: str, fault: str | None) -> Inject:
    """Let calls of a device fail during a block."""
    stage = walker.stage
    folder = stage.disks if device == "volume" else stage.folder / "array/data"

    def inject(kth: Kth) -> AbstractContextManager[None]:
        return FailingDevices(folder, call, fault, kth).in_force()

    return inject


@pytest.mark.parametrize("device", ["container", "volume"])
@pytest.mark.parametrize("name", FAILING)
def test_an_operation_whose_kth_call_of_a_device_fails_harms_nothing(
    walker: Walker, name: str, device: str, tally: Callable[[str, int], None]
) -> None:
    operation, stage = FAILING[name], walker.stage
    cases = [
        (call, fault, steps, Kth(k, lasting))
        for call, faults in FAULTS.items()
        if (steps := walker.steps(operation, failing(walker, device, call, None)))
        for fault in faults
        if device == "container" or fault in TOLD
        for k in range(1, steps + 1)
        for lasting in (False, True)
    ]
    chosen = portion(cases, device, name, small=1, brief=6)
    found = []
    stage.devices_fail = True
    for call, fault, steps, kth in chosen:
        walker.honest = fault in TOLD or call == "read"
        problems = walker.walk(operation, failing(walker, device, call, fault), kth)
        if not kth.hits:
            problems.append(f"there was no such {call}")
        how = "from then on" if kth.lasting else "once"
        found += [f"{fault} at {call} {kth.at} of {steps} {how}: {one}" for one in problems]
    stage.devices_fail, walker.honest = False, True
    tally("calls of devices failed in backup operations", len(chosen))
    assert found == []
