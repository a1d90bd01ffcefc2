# SPDX-License-Identifier: Apache-2.0
"""A Datera cluster in a process, for the demo, the tests and whoever tries it."""

from datera_emulator.emulator import Emulator, StateInUse
from datera_emulator.faults import Fault, FaultPlan
from datera_emulator.switches import Limits, Switches

__all__ = ["Emulator", "Fault", "FaultPlan", "Limits", "StateInUse", "Switches"]
