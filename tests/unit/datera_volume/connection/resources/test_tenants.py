# SPDX-License-Identifier: Apache-2.0
"""A tenant that is missing is made, where the user may do that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from datera_volume import connection
from datera_volume.connection import Tenant
from datera_volume.connection.polling import Poller
from datera_volume.connection.resources.adapter import TenantAdapter
from datera_volume.connection.transport.session import ClusterSession

MISSING = (404, {"message": "no such tenant"})


@pytest.fixture
def tenant(make_session: Callable[..., ClusterSession], clock: Any) -> Tenant:
    return Tenant(TenantAdapter(make_session(), "/root/a/b", Poller(clock.sleep, clock)))


def test_those_above_it_are_made_too_each_in_its_parent(tenant: Tenant, scripted: Any) -> None:
    scripted.script = lambda s: MISSING if s.method == "GET" and "/tenants/" in s.path else None
    tenant.ensure()
    made = [(s.headers["tenant"], s.body) for s in scripted.seen if s.method == "POST"]
    assert made == [
        ("/root", {"name": "a"}),
        ("/root/a", {"name": "b", "parent_path": "/root/a"}),
    ]


@pytest.mark.parametrize("status", [401, 422])
def test_a_user_who_may_not_make_it_is_told_so(tenant: Tenant, scripted: Any, status: int) -> None:
    def script(seen: Any) -> Any:
        if "/tenants" not in seen.path:
            return None
        return MISSING if seen.method == "GET" else (status, {"message": "not yours"})

    scripted.script = script
    with pytest.raises(connection.PermissionRefused, match=r"/root/a does not exist.*not yours"):
        tenant.ensure()


DENIED = (401, {"message": "no", "name": "PermissionDeniedError"})


def test_one_that_may_not_be_looked_at_is_there_if_it_lists(tenant: Tenant, scripted: Any) -> None:
    scripted.script = lambda s: DENIED if "/tenants" in s.path else None
    tenant.ensure()
    assert scripted.asked("GET", "/app_instances") == 1
    assert scripted.asked("POST", "/tenants") == 0


def test_one_that_may_not_be_looked_at_and_lists_nothing_is_made(
    tenant: Tenant, scripted: Any
) -> None:
    def script(seen: Any) -> Any:
        if seen.method == "GET" and seen.path.endswith(("/tenants/root/a/b", "/app_instances")):
            return DENIED if "/tenants" in seen.path else MISSING
        return None

    scripted.script = script
    tenant.ensure()
    assert [s.body["name"] for s in scripted.seen if s.method == "POST"] == ["b"]


def test_one_in_which_nothing_may_be_listed_is_not_taken_to_be_there(
    tenant: Tenant, scripted: Any
) -> None:
    denied = ("/tenants", "/app_instances")
    scripted.script = lambda s: DENIED if any(one in s.path for one in denied) else None
    with pytest.raises(connection.PermissionRefused):
        tenant.ensure()


def test_one_that_another_service_has_just_made_is_there(tenant: Tenant, scripted: Any) -> None:
    def script(seen: Any) -> Any:
        if "/tenants" not in seen.path:
            return None
        return MISSING if seen.method == "GET" else (409, {"message": "there"})

    scripted.script = script
    tenant.ensure()


def test_a_lost_answer_is_looked_for(tenant: Tenant, scripted: Any) -> None:
    made: set[str] = set()

    def script(seen: Any) -> Any:
        if "/tenants" not in seen.path:
            return None
        if seen.method == "POST":
            made.add(seen.body["name"])
            return requests.ReadTimeout("no answer")
        return None if seen.path.rsplit("/", 1)[-1] in made else MISSING

    scripted.script = script
    tenant.ensure()
    assert made == {"a", "b"}
    assert scripted.asked("POST", "/tenants") == 2
