# SPDX-License-Identifier: Apache-2.0
"""The commands by their names on the command line."""

from __future__ import annotations

from cliff.command import Command

from backup_dispatch.command.verbs.adopt import Adopt
from backup_dispatch.command.verbs.check import Check
from backup_dispatch.command.verbs.copy import Copy
from backup_dispatch.command.verbs.list import ListBackups
from backup_dispatch.command.verbs.metrics import Metrics
from backup_dispatch.command.verbs.mount import Mount
from backup_dispatch.command.verbs.orphans import Orphans
from backup_dispatch.command.verbs.prune import Prune
from backup_dispatch.command.verbs.release import Release
from backup_dispatch.command.verbs.report import Report
from backup_dispatch.command.verbs.route import Route
from backup_dispatch.command.verbs.salvage import Salvage
from backup_dispatch.command.verbs.show import Show
from backup_dispatch.command.verbs.verify import Verify

COMMANDS: dict[str, type[Command]] = {
    "adopt": Adopt,
    "check": Check,
    "copy": Copy,
    "list": ListBackups,
    "metrics": Metrics,
    "mount": Mount,
    "orphans": Orphans,
    "prune": Prune,
    "release": Release,
    "report": Report,
    "route": Route,
    "salvage": Salvage,
    "show": Show,
    "verify": Verify,
}
