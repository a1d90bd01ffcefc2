# SPDX-License-Identifier: Apache-2.0
"""A plan of faults strikes the requests that it names, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datera_emulator.application import Request
from datera_emulator.faults.outcomes import KINDS, Hang, Wish
from datera_emulator.faults.plan import FaultPlan
from datera_emulator.rules.admission import LoginRefused, admit
from tests.fixtures.datera.emulated_api import Api

IQN = "iqn.1993-08.org.debian:01:ed22de8d75c0"


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


def test_a_fault_never_turns_a_refusal_into_a_success(api: Api) -> None:
    api.faults.empty(method="DELETE")
    assert api.ask("DELETE", "/app_instances/none")[0] == 404
    api.create("one")
    api.faults.empty(method="GET")
    assert api.ask("GET", "/app_instances/one") == (200, b"")


def test_a_connection_is_dropped_before_or_after_the_effect(api: Api) -> None:
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


def test_faults_answer_html_or_an_empty_body(api: Api) -> None:
    api.faults.html(path="/system")
    answer = api.raw(Request("GET", "/v2.2/system"))
    assert (answer.status, answer.content_type) == (502, "text/html")
    api.faults.empty(method="DELETE")
    made = api.create()
    api.offline(made)
    assert api.ask("DELETE", made["path"]) == (200, b"")
    assert api.refused("GET", made["path"])[0] == 404


def test_every_kind_has_its_outcome_by_name(api: Api) -> None:
    seen: dict[str, Any] = {}
    for number, kind in enumerate(KINDS):
        name = f"tenant-{number}"
        api.faults.kind(kind, Wish(seconds=0.0), method="POST")
        request = Request(
            "POST",
            "/v2.2/tenants",
            headers={"auth-token": api.key},
            body=json.dumps({"name": name}).encode(),
        )
        answer = api.application.handle(request)
        api.log_in()
        made = api.ask("GET", f"/tenants/root/{name}")[0] == 200
        seen[kind] = (None if answer is None else answer.status, made)
    assert seen == {
        "answer": (500, False),
        "busy": (503, False),
        "drop": (None, False),
        "drop_applied": (None, True),
        "empty": (200, True),
        "expired_token": (401, False),
        "half": (200, True),
        "hang": (200, True),
        "html": (502, False),
        "slow": (200, True),
        "wrong_body": (200, True),
    }
    with pytest.raises(ValueError, match="no fault 'flood'"):
        api.faults.kind("flood")
    with pytest.raises(ValueError, match="not a regular expression"):
        api.faults.kind("busy", path="(")


def drawn(plan: FaultPlan, count: int) -> list[object]:
    found = (plan.next("GET", "/system") for _ in range(count))
    return [None if fault is None else type(fault.outcome) for fault in found]


def test_random_faults_come_at_their_rate_and_again_with_the_same_seed() -> None:
    one, two, three = FaultPlan(), FaultPlan(), FaultPlan()
    faults = one.random(0.02, seed=7)
    two.random(0.02, seed=7)
    three.random(0.02, seed=8)
    first = drawn(one, 2000)
    assert first == drawn(two, 2000) != drawn(three, 2000)
    assert set(faults.hits) == set(KINDS)
    for hits in faults.hits.values():
        assert 15 <= hits <= 70
    faults.end()
    assert drawn(one, 500) == [None] * 500


def test_random_faults_strike_only_what_they_are_meant_for() -> None:
    plan = FaultPlan()
    faults = plan.random({"busy": 1.0}, method="POST", path="/app_instances.*")
    assert plan.next("GET", "/app_instances") is None
    assert plan.next("POST", "/system") is None
    assert plan.next("POST", "/app_instances/x") is not None
    assert faults.hits == {"busy": 1}
    for rates in ({"busy": 0.6, "html": 0.6}, {"busy": -0.1}, {"flood": 0.1}):
        with pytest.raises(ValueError, match=r"must not be negative|no fault"):
            plan.random(rates)


def test_requests_that_hang_at_random_are_released_at_the_end() -> None:
    plan = FaultPlan()
    plan.random({"hang": 1.0}, hang_seconds=600)
    fault = plan.next("GET", "/system")
    assert fault is not None
    assert isinstance(fault.outcome, Hang)
    assert not fault.outcome.release.is_set()
    plan.clear()
    assert fault.outcome.release.is_set()


def test_a_target_refuses_logins_for_a_while_after_its_acl_changed(api: Api) -> None:
    made = api.create()
    api.good("POST", "/initiators", {"id": IQN, "name": "a host"})
    api.faults.refuse_logins(after_acl_change=2)
    storage = made["storage_instances"][0]
    for _ in range(2):
        api.good("GET", storage["path"])
    link = {"op": "add", "path": f"/initiators/{IQN}"}
    api.good("PUT", f"{storage['acl_policy']['path']}/initiators", link)
    wish = {"initiator": IQN, "target": storage["access"]["iqn"], "lun": 0}
    for _ in range(2):
        with pytest.raises(LoginRefused) as refused:
            admit(api.cluster, wish)
        assert refused.value.reason == "target-not-ready"
    assert admit(api.cluster, wish)[1].name == "storage-1"
    api.good("PUT", storage["path"], {"admin_state": "online"})
    assert admit(api.cluster, wish)[1].name == "storage-1"
