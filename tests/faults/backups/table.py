# SPDX-License-Identifier: Apache-2.0
"""All operations whose steps fail, by what they are called in reports."""

from __future__ import annotations

from tests.faults.backups.copies import Cancel, Copy, ReadForACopy
from tests.faults.backups.jobs import CopyJob
from tests.faults.backups.operations import Create, Delete, Look, Operation, Restore
from tests.faults.backups.pruning import PruneJob

OPERATIONS: dict[str, Operation] = {
    "create a full one": Create("nothing", metadata=True),
    "create the first one of a process": Create("nothing", first=True),
    "create an incremental": Create("a_full", parent="full"),
    "restore a full one": Restore("a_full", of="full", day=0),
    "restore from two containers": Restore("two_containers", of="newest", day=1, new=True),
    "delete the last": Delete("one", which="full"),
    "delete the newest": Delete("three", which="newest"),
    "delete one in the middle": Delete("three", which="middle"),
    "delete in two containers": Delete("two_containers", which="newest"),
    "forget a parent": Delete("a_chain", which="full", forget=True),
    "forget in the middle": Delete("a_chain", which="middle", forget=True),
    "forget in two containers": Delete("two_containers", which="full", forget=True),
    "verify": Look("two_containers", what="verify", of="newest"),
    "import": Look("a_full", what="import"),
    "ask whether it is there": Look("a_full", what="holds"),
    "read its size": Look("a_full", what="stored_size"),
    "cancel": Cancel("nothing"),
    "cancel an incremental": Cancel("a_full", parent="full"),
    "read for a copy": ReadForACopy("two_containers", of="newest", day=1),
    "copy to another backend": CopyJob("one"),
    "prune": PruneJob("three"),
    "write a copy": Copy("a_full_and_another"),
}
