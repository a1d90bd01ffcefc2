# SPDX-License-Identifier: Apache-2.0
"""The kernel's own iSCSI initiator, in a guest: CHAP, one portal and two."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from tests.services.stack.guests.guest import GuestDidNotRun
from tests.services.stack.guests.kernel_initiator import SECONDS

DEADLINE = 2 * SECONDS
"""It has been running for as long as all the other tests took."""


def test_the_drivers_work_with_the_kernels_initiator(
    kernel_initiator: Future[tuple[int, str]],
) -> None:
    try:
        status, shown = kernel_initiator.result(timeout=DEADLINE)
    except GuestDidNotRun as reason:
        pytest.skip(f"no guest runs here: {reason}")
    assert status == 0, shown
    assert " passed" in shown, shown
