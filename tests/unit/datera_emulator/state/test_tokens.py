# SPDX-License-Identifier: Apache-2.0
"""Keys expire, idle or after their time."""

from __future__ import annotations

import pytest

from datera_emulator.state.tokens import Tokens
from datera_emulator.switches import Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

SECOND = 1_000_000_000


@pytest.mark.parametrize(("idle", "good"), [(True, True), (False, False)])
def test_use_prolongs_an_idle_key_only(idle: bool, good: bool) -> None:
    now = 0
    tokens = Tokens(lambda: now, 10, idle=idle)
    key = tokens.issue()
    now = 9 * SECOND
    assert tokens.use(key)
    now = 18 * SECOND
    assert tokens.use(key) is good


def test_an_unused_key_expires() -> None:
    now = 0
    tokens = Tokens(lambda: now, 10, idle=True)
    key = tokens.issue()
    now = 10 * SECOND
    assert not tokens.use(key)
    assert len(tokens) == 0


def test_expired_key_is_refused_in_the_words_that_clients_compare(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(key_lifetime_seconds=60))
    api.good("GET", "/system")
    api.clock += 61 * SECOND
    status, body = api.ask("GET", "/system")
    assert status == 401
    assert body["name"] == "InvalidSessionKeyError"
    expected = "The key provided with the request does not correspond to a valid session."
    assert body["message"] == expected
    api.log_in()
    api.good("GET", "/system")


def test_a_logout_ends_the_key_and_only_that(api: Api) -> None:
    first = api.key
    api.log_in()
    api.good("PUT", "/logout", {})
    assert api.refused("GET", "/system")[0] == 401
    api.key = first
    api.good("GET", "/system")
