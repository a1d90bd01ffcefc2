# SPDX-License-Identifier: Apache-2.0
"""An emulated Datera cluster, for the demo, the tests and for trying it out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datera_emulator.emulator import Emulator, StateInUse
    from datera_emulator.faults.plan import Fault, FaultPlan
    from datera_emulator.switches import Limits, Switches

__all__ = ["Emulator", "Fault", "FaultPlan", "Limits", "StateInUse", "Switches"]

_MODULES = {
    "Emulator": "emulator",
    "Fault": "faults.plan",
    "FaultPlan": "faults.plan",
    "Limits": "switches",
    "StateInUse": "emulator",
    "Switches": "switches",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used.

    ``with_connector`` runs programs that patch the standard library, and what was imported before
    them stays unpatched: the package itself must import nothing.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
