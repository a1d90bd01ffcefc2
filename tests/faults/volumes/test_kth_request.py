# SPDX-License-Identifier: Apache-2.0
"""Each request of each operation fails, in each way that a request can fail, once and for ever.

Afterwards the operation succeeded or raised an error of Cinder's, in time; a success is one, no
data is lost, nothing is there that no record names, it can be done again, and deleting the records
leaves nothing.

One version of the API walks all of the common ways, chosen by where an operation has most steps;
of the rest each version walks a part.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datera_volume.connection import ClusterSettings
from tests.faults.volumes.conftest import VERSIONS
from tests.faults.volumes.group_scenes import OPERATIONS
from tests.faults.volumes.stage import BUSY_TIMEOUT, Stage
from tests.faults.volumes.walk import Walk
from tests.faults.volumes.ways import COMMON, LASTING, WAYS
from tests.fixtures.faults.extent import portion

# Seconds. A request is repeated for so long, and its last attempt may take its own time-out more.
LONGEST_WAIT = BUSY_TIMEOUT + ClusterSettings.read_timeout
# On a cluster that answers nothing any more an operation waits so often: for what it did, to learn
# what became of it, and both again to undo the last of what it had done.
MOST_WAITS = 4
# So much more where each single attempt ends by a time-out, those to undo the rest as well.
SILENT_WAITS = 3

OLDEST, USUAL, _ = VERSIONS
# Whose requests are those of other operations, many times: each version walks a part of all ways.
REPEATED = ("copy_of_a_snapshot", "copy_a_group", "copy_a_groups_snapshot")
# What the oldest products allow only while a volume is offline.
CHANGES = ("extend", "retype", "revert", "manage", "clone")
ALL = [(operation, version) for operation in OPERATIONS for version in VERSIONS]
WALKED = portion(ALL, "kth request", small=2, brief=24)

Case = tuple[int, str, bool]


def cases_of(walk: Walk, operation: str, version: str) -> list[Case]:
    """Return which requests fail how, and whether once, on a cluster of this version."""
    usual = OLDEST if operation.startswith(CHANGES) else USUAL
    found = []
    for k in range(1, walk.requests + 1):
        for number, way in enumerate(WAYS):
            turn = (number + k) % 3 == VERSIONS.index(version)
            if way in COMMON and (turn if operation in REPEATED else version == usual):
                found.append((k, way, True))
                if way in LASTING:
                    found.append((k, way, False))
            elif way not in COMMON and turn and (number + k) % 6 < 3:
                found.append((k, way, (number + k) % 12 < 6))
    return found


@pytest.mark.parametrize(("operation", "version"), WALKED)
def test_an_operation_whose_kth_request_fails_harms_nothing(
    stage: Stage, operation: str, version: str, tally: Callable[[str, int], None]
) -> None:
    walk = Walk(stage, operation)
    space = cases_of(walk, operation, version)
    cases = portion(space, "kth request", operation, version, small=2, brief=6)
    found = []
    for k, way, once in cases:
        times = 1 if once else None
        silent = way.startswith("time-out")
        waits = 2 if once else MOST_WAITS + SILENT_WAITS * silent
        failed = f"{way} {'once' if once else 'for ever'} at request {k} of {walk.requests}"
        for problem in walk.failing(
            lambda k=k, way=way, times=times: WAYS[way](stage, k, times),  # type: ignore[misc]
            once=once,
            exhausts=silent,
            seconds=waits * LONGEST_WAIT,
        ):
            found.append(f"{failed}: {problem}")
    tally("requests of volume operations failed", len(cases))
    assert not found, "\n".join(found)
