# SPDX-License-Identifier: Apache-2.0
"""What is stored of volumes' bytes, and what saves the rest."""

from __future__ import annotations

from dataclasses import dataclass

from backup_dispatch.counting.figures import NEW, SHARED, STORED, ZERO
from backup_dispatch.jobs.standing.summary import Held


@dataclass(frozen=True)
class Savings:
    """The parts of all bytes, which add up to them.

    :ivar zeros: None if the backend's driver does not tell zeros from other data.
    """

    total: int
    stored: int
    compression: int
    sharing: int
    zeros: int

    @property
    def ratio(self) -> float:
        """How many bytes of volumes one stored byte stands for; 0 if nothing is stored."""
        return self.total / self.stored if self.stored else 0.0


def savings_of(held: Held) -> Savings | None:
    """Those of a backend's backups of which they are known; None if that is none of them."""
    if not held.measured:
        return None
    new, stored = held.parts[NEW], held.parts[STORED]
    return Savings(
        held.measured_bytes, stored, max(0, new - stored), held.parts[SHARED], held.parts[ZERO]
    )
