# SPDX-License-Identifier: Apache-2.0
"""Services are killed in the middle of everything: a restart heals all, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.fixtures.faults.extent import amount
from tests.services.faults.lane import Lane
from tests.services.faults.rounds import Rounds
from tests.services.faults.small_cloud import SmallCloud

LANES = 4


def test_services_killed_at_any_step_end_in_final_states_and_lose_nothing(
    small_cloud: SmallCloud, tally: Callable[[str, int], None]
) -> None:
    instants = amount(small=0, brief=6, whole=200)
    zones = [Rounds(Lane(small_cloud, number)) for number in range(min(LANES, instants))]

    def all_rounds(rounds: Rounds) -> Counter[str]:
        rounds.prepare()
        number = 0
        while deaths(rounds.killed) < instants / len(zones):
            rounds.round(number)
            number += 1
        rounds.finish()
        return rounds.killed

    with ThreadPoolExecutor(LANES) as side:
        killed = sum(side.map(all_rounds, zones), Counter[str]())
    for what, times in killed.items():
        tally(f"kill -9 of {what}" if not what.startswith("while") else f"killed {what}", times)
    assert deaths(killed) >= instants


def deaths(killed: Counter[str]) -> int:
    """How many were killed in the middle of something."""
    midway = (what for what in killed if not what.startswith("while") and "rest" not in what)
    return sum(killed[what] for what in midway)
