# SPDX-License-Identifier: Apache-2.0
"""A plan of faults strikes the requests that it names, and no others."""

from __future__ import annotations

from datera_emulator.application import Request
from datera_emulator.faults import FaultPlan
from tests.fixtures.emulated_api import Api


def test_nth_and_times_count_matching_requests_only() -> None:
    plan = FaultPlan()
    fault = plan.answer(503, method="GET", path="/app_instances.*", nth=2, times=2)
    struck = []
    for path in (
        "/system",
        "/app_instances",
        "/app_instances/x",
        "/app_instances",
        "/app_instances",
    ):
        struck.append(plan.next("GET", path) is fault)
        assert plan.next("POST", path) is None
    assert struck == [False, False, True, True, False]
    assert fault.hits == 2


def test_a_burst_of_503_ends(api: Api) -> None:
    fault = api.faults.busy(times=2, path="/system")
    assert [api.ask("GET", "/system")[0] for _ in range(3)] == [503, 503, 200]
    assert fault.hits == 2


def test_a_drop_before_or_after_the_effect(api: Api) -> None:
    body = b'{"name":"acme"}'
    headers = {"auth-token": api.key}
    request = Request("POST", "/v2.2/tenants", headers=headers, body=body)
    api.faults.drop(method="POST")
    assert api.application.handle(request) is None
    assert len(api.good("GET", "/tenants")) == 1
    api.faults.drop(method="POST", applied=True)
    assert api.application.handle(request) is None
    assert len(api.good("GET", "/tenants")) == 2


def test_an_expired_token_is_healed_by_a_login(api: Api) -> None:
    api.faults.expire_token(path="/system")
    status, message = api.refused("GET", "/system")
    assert status == 401
    assert "valid session" in message
    api.log_in()
    api.good("GET", "/system")


def test_html_and_an_empty_body(api: Api) -> None:
    api.faults.html(path="/system")
    answer = api.raw(Request("GET", "/v2.2/system"))
    assert (answer.status, answer.content_type) == (502, "text/html")
    api.faults.empty(method="DELETE")
    made = api.create()
    api.offline(made)
    assert api.ask("DELETE", made["path"]) == (200, b"")
    assert api.refused("GET", made["path"])[0] == 404
