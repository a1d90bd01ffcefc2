# SPDX-License-Identifier: Apache-2.0
"""A random sample of a backup's blocks, for verifications of a share."""

from __future__ import annotations

import math
import random


class Sample:
    """Draws a part of some things that come one after the other, each with the same chance.

    It is exactly as many as asked for, at least one, and the same ones for the same seed. Nothing
    is kept of those drawn: a large volume has millions of blocks.

    :ivar size: how many are drawn, where as many come as were announced.
    :ivar of: how many were announced.
    """

    def __init__(self, share: float, of: int, seed: int) -> None:
        """Prepare.

        :param share: how much of them, above 0 and up to 1.
        :param of: how many there will be.
        :raises ValueError: ``share`` is out of its bounds.
        """
        if not 0 < share <= 1:
            raise ValueError(f"a share of {share} is not above 0 and at most 1")
        self.size = self._wanted = min(of, math.ceil(share * of))
        self.of = self._left = of
        # Not for security: a predictable sample does no harm.
        self._random = random.Random(seed).random  # noqa: S311

    def draw(self) -> bool:
        """Say of the next one whether it is drawn."""
        drawn = self._random() * self._left < self._wanted
        self._wanted -= drawn
        self._left = max(0, self._left - 1)
        return drawn
