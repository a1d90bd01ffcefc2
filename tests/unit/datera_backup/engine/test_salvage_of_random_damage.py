# SPDX-License-Identifier: Apache-2.0
"""Random megabytes of both containers of a chain are overwritten: no wrong byte comes back.

``SALVAGE_SEEDS=1000`` in the environment tries so many seeds, and ``-s`` shows what was missing.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from tests.fixtures.containers.chain_of_two import HOMES, Chain, make_chain
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import identifier
from tests.fixtures.containers.salvaging import homes_of, living, salvage

pytestmark = pytest.mark.faults

SEEDS = int(os.environ.get("SALVAGE_SEEDS", "40"))
MIB = 1 << 20
SECTOR = 512


@pytest.fixture(scope="module")
def chain() -> Chain:
    return make_chain()


def damaged(chain: Chain, rng: random.Random) -> list[MemoryDevice]:
    """Return the devices, one to four megabytes of them overwritten."""
    devices = chain.devices()
    for _ in range(rng.randint(1, 4)):
        content = rng.choice(devices).content
        at = rng.randrange((content.size - MIB) // SECTOR) * SECTOR
        content.write(at, rng.randbytes(MIB))
    return devices


def test_what_is_salvaged_is_right_and_all_else_is_named(chain: Chain) -> None:
    figures: Counter[str] = Counter()
    for seed in range(SEEDS):
        homes = homes_of(damaged(chain, random.Random(seed)))
        assert set().union(*map(living, homes)) <= {identifier(number) for number in HOMES}
        for number, right in chain.contents.items():
            salvaged = salvage(homes, identifier(number))
            lost = len(right) if salvaged is None else salvaged.check(right)
            stored = sum(any(right[at : at + 4096]) for at in range(0, len(right), 4096))
            figures["backups"] += 1
            figures["whole"] += not lost
            figures["without commit"] += salvaged is None
            figures["bytes"] += len(right)
            figures["missing"] += lost
            figures["missing of those with commit"] += 0 if salvaged is None else lost
            figures["blocks"] += stored
    print(f"\n{SEEDS} seeds: {dict(figures)}")
    assert figures["whole"] > figures["backups"] // 2
