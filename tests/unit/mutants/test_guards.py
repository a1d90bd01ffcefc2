# SPDX-License-Identifier: Apache-2.0
"""What is taken out to see the faults notice is still where it is written down."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.guards import GUARDS, Guard
from tests.mutants.trees import ROOT


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_can_be_taken_out(guard: Guard) -> None:
    sound = (ROOT / guard.path).read_text()
    assert sound.count(guard.present) == 1
    ast.parse(sound.replace(guard.present, guard.missing))
    assert all((ROOT / tests).exists() for tests in guard.tests)
