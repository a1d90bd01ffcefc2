# SPDX-License-Identifier: Apache-2.0
"""Each step of each operation on backups fails, once or from then on, in each way that it can.

Afterwards what is called available is what was backed up, nothing is left that no record names,
nothing is open on the cluster or on this host, and doing it again, or deleting it, makes it good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.faults.backups.table import OPERATIONS
from tests.fixtures.faults.extent import EXTENT, Extent, portion
from tests.fixtures.faults.shares import share

if TYPE_CHECKING:
    from tests.faults.backups.walking import Walker

TOUCHES_NO_VOLUME = (
    "delete",
    "forget",
    "verify",
    "import",
    "ask",
    "read",
    "write a copy",
    "cancel",
    "prune",
)
WALKS = [
    (kind, name)
    for name in OPERATIONS
    for kind in ("request", "statement", "container", "volume")
    if kind != "volume" or not name.startswith(TOUCHES_NO_VOLUME)
]


@pytest.mark.parametrize(("kind", "name"), portion(WALKS, "backups", small=10, brief=len(WALKS)))
def test_an_operation_whose_kth_step_fails_harms_nothing(
    walker: Walker, kind: str, name: str, tally: Callable[[str, int], None]
) -> None:
    from tests.faults.backups.steps import KINDS, walked

    steps, operation = KINDS[kind], OPERATIONS[name]
    counts = steps.counted(walker, operation)
    chosen = share(steps.cases(walker, counts), kind, name, small=2, brief=5)
    found = [problem for case in chosen for problem in walked(walker, operation, case)]
    tally(f"{steps.word} failed in operations on backups", len(chosen))
    assert not found, "\n".join(found)
    if EXTENT is not Extent.SMALL:
        assert steps.counted(walker, operation) == counts
