# SPDX-License-Identifier: Apache-2.0
"""Each request to the cluster fails once, or from then on, in each way that a request can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.backups.operations import OPERATIONS
from tests.fixtures.faults.extent import portion
from tests.fixtures.faults.failing_requests import REQUEST_FAULTS, RequestFault
from tests.fixtures.faults.kth import Kth

if TYPE_CHECKING:
    from tests.faults.backups.walking import Inject, Walker


def failing(walker: Walker, fault: RequestFault | None) -> Inject:
    """Let requests fail during a block."""

    @contextmanager
    def inject(kth: Kth) -> Iterator[None]:
        session = walker.stage.session
        session.fail(fault, kth)
        try:
            yield
        finally:
            session.heal()

    return inject


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_whose_kth_request_fails_harms_nothing(
    walker: Walker, name: str, tally: Callable[[str, int], None]
) -> None:
    operation = OPERATIONS[name]
    steps = walker.steps(operation, failing(walker, None))
    assert steps > 0
    cases = [
        (fault, Kth(k, lasting))
        for fault in REQUEST_FAULTS
        for k in range(1, steps + 1)
        for lasting in (False, True)
    ]
    chosen = portion(cases, "requests", name, small=2, brief=8)
    found = []
    for fault, kth in chosen:
        problems = walker.walk(operation, failing(walker, fault), kth)
        if not kth.hits:
            problems.append("there was no such request")
        how = "from then on" if kth.lasting else "once"
        found += [f"{fault.name} at request {kth.at} of {steps} {how}: {one}" for one in problems]
    tally("requests of backup operations failed", len(chosen))
    assert found == []
    beyond = Kth(steps + 1)
    walker.walk(operation, failing(walker, REQUEST_FAULTS[0]), beyond)
    assert not beyond.hits, f"there are more than {steps} requests"
