# SPDX-License-Identifier: Apache-2.0
"""What a restore moves at a time, and what does not come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from datera_backup.container import BlockDamaged, ManifestDamaged
from datera_backup.container.device import Buffer
from datera_backup.engine.plan import Run


@dataclass(frozen=True)
class Damage:
    """Blocks that cannot be restored.

    :param offset: of the first of their bytes in the source.
    :param length: bytes of the source.
    :param error: what was found; a damaged manifest takes all blocks of its chunk with it.
    """

    offset: int
    length: int
    error: BlockDamaged | ManifestDamaged


OnDamage = Callable[[Damage], None]
"""Called for each damage, in no order, by one thread at a time; what it raises ends the job."""


@dataclass
class Batch:
    """Blocks that lie one after the other in one container, or a run of zeros.

    :param length: bytes of the source.
    :param lost: chunks of which nothing is known.
    :param data: the stored bytes, once they are fetched.
    :param plain: what came out: ranges of the source, verified.
    :param damage: what did not come out, by the blocks' numbers within the chunk.
    :param unwritten: ranges of what came out whose writes have not ended.
    """

    length: int
    zeros_at: int | None = None
    lost: Damage | None = None
    run: Run | None = None
    data: memoryview | None = None
    buffer: memoryview | None = None
    plain: list[tuple[int, list[Buffer]]] = field(default_factory=list)
    damage: dict[int, Damage] = field(default_factory=dict)
    unwritten: int = 0

    def copy(self) -> None:
        """Have nothing of what came out lie in the buffer any more."""
        for _, buffers in self.plain:
            buffers[:] = [bytes(part) if type(part) is memoryview else part for part in buffers]
