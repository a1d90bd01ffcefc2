# SPDX-License-Identifier: Apache-2.0
"""Each statement to Cinder's database fails once, or from then on: it is gone, or deadlocked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.faults.backups.operations import OPERATIONS
from tests.fixtures.faults.extent import portion
from tests.fixtures.faults.failing_statements import STATEMENT_FAULTS, FailingStatements
from tests.fixtures.faults.kth import Kth

if TYPE_CHECKING:
    from tests.faults.backups.walking import Inject, Walker


def failing(walker: Walker, fault: str | None) -> Inject:
    """Let statements fail during a block."""
    statements = FailingStatements(walker.stage.engine, walker.stage.time)
    return lambda kth: statements.in_force(fault, kth)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_whose_kth_statement_fails_harms_nothing(
    walker: Walker, name: str, tally: Callable[[str, int], None]
) -> None:
    operation = OPERATIONS[name]
    steps = walker.steps(operation, failing(walker, None))
    cases = [
        (fault, Kth(k, lasting))
        for fault in STATEMENT_FAULTS
        for k in range(1, steps + 1)
        for lasting in (False, True)
    ]
    chosen = portion(cases, "statements", name, small=1, brief=6)
    found = []
    for fault, kth in chosen:
        problems = walker.walk(operation, failing(walker, fault), kth)
        if not kth.hits:
            problems.append("there was no such statement")
        how = "from then on" if kth.lasting else "once"
        found += [f"{fault} at statement {kth.at} of {steps} {how}: {one}" for one in problems]
    tally("database statements of backup operations failed", len(chosen))
    assert found == []
