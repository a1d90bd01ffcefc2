# SPDX-License-Identifier: Apache-2.0
"""Walks over a whole cloud, compared after each step with what each backup must hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fixtures.cinder.patching import is_patched
from tests.fixtures.faults.extent import amount, chance

PHASES = (Phase.generate, Phase.shrink)

pytestmark = pytest.mark.skipif(is_patched(), reason="a walk stops the servers in its own process")


def test_walks_end_as_the_model_says(
    new_cloud: Callable[[], Any], tally: Callable[[str, int], None]
) -> None:
    # Cinder's objects must be registered first.
    from tests.faults.model.machine import Walks

    walks = amount(small=1, brief=3, whole=30)
    steps = amount(small=25, brief=40, whole=70)
    done: Counter[str] = Counter()

    @seed(chance("walks").getrandbits(64))
    def walking() -> Walks:
        return Walks(new_cloud, done)

    # It is declared for classes, and calls what it gets.
    factory: Any = walking
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=walks,
            stateful_step_count=steps,
            phases=PHASES,
            deadline=None,
            database=None,
            derandomize=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    for what, number in done.items():
        tally(what, number)
    assert done["steps"] >= walks * steps
