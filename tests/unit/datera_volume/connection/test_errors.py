# SPDX-License-Identifier: Apache-2.0
"""The chain of what caused an error ends, whatever the errors have been made of."""

from __future__ import annotations

from datera_volume.connection import chain_of
from datera_volume.connection.transport.deadline import ResponseTooSlow, too_slow


def caught_in_a_circle() -> tuple[OSError, OSError]:
    first, second = OSError("first"), OSError("second")
    first.__cause__, second.__context__ = second, first
    return first, second


def test_a_chain_that_leads_back_is_gone_through_once() -> None:
    first, second = caught_in_a_circle()
    assert [*chain_of(first)] == [first, second]
    assert not too_slow(first)


def test_a_deadline_is_found_behind_what_it_caused() -> None:
    slow = ResponseTooSlow("timed out")
    wrapped = OSError("no complete response")
    wrapped.__context__ = slow
    assert too_slow(wrapped)
    assert [*chain_of(None)] == []
