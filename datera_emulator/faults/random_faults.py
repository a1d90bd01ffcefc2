# SPDX-License-Identifier: Apache-2.0
"""Faults at random, the same ones in the same order for the same seed."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Mapping

from datera_emulator.faults.outcomes import KINDS, Hang, Outcome, Wish, outcome_of


class RandomFaults:
    """Lets a share of the requests fail, by kind. ``hits`` counts how often each kind occurred.

    Which request gets which fault depends on the order in which requests arrive.

    :param rates: by the kind's name, the share of the requests (0 to 1) that it affects.
    :param path: a regular expression for the whole path, without the API's version.
    :param slow_seconds: how long a "slow" request takes; the same with ``hang_seconds``.
    :raises ValueError: there is no such kind, or the rates are no shares.
    """

    def __init__(
        self,
        rates: Mapping[str, float],
        *,
        seed: int = 0,
        method: str | None = None,
        path: str = ".*",
        slow_seconds: float = 0.2,
        hang_seconds: float = 2.0,
    ) -> None:
        for kind in rates:
            outcome_of(kind, Wish())
        if any(rate < 0 for rate in rates.values()) or sum(rates.values()) > 1:
            raise ValueError("rates must not be negative and must not add up to more than 1")
        self.hits: Counter[str] = Counter()
        self.rates = dict(rates)
        self.seed = seed
        self._method = method
        self._path = re.compile(path)
        self._seconds = {"slow": slow_seconds, "hang": hang_seconds}
        # Not a secret: it must be the same for the same seed.
        self._random = random.Random(seed)  # noqa: S311
        self._ended = threading.Event()

    def next(self, method: str, path: str) -> tuple[Outcome, bool] | None:
        """Return a request's fault, and whether it takes effect; one caller at a time."""
        if self._ended.is_set() or self._method not in (None, method):
            return None
        if self._path.fullmatch(path) is None:
            return None
        drawn = self._random.random()
        for kind, rate in self.rates.items():
            if drawn < rate:
                self.hits[kind] += 1
                return self._outcome(kind)
            drawn -= rate
        return None

    def end(self) -> None:
        """Inject no more faults, and release hanging requests."""
        self._ended.set()

    def _outcome(self, kind: str) -> tuple[Outcome, bool]:
        outcome, applied = outcome_of(kind, Wish())
        if isinstance(outcome, Hang):
            outcome = Hang(self._ended, self._seconds[kind])
        return outcome, applied


def rates_of_all(rate: float) -> dict[str, float]:
    """Return the same rate for each kind of fault."""
    return dict.fromkeys(KINDS, rate)
