# SPDX-License-Identifier: Apache-2.0
"""A create whose answer was lost makes one thing, and takes nobody else's for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from datera_volume import connection
from datera_volume.connection import NewAppInstance, Tenant
from datera_volume.connection.polling import Poller
from datera_volume.connection.resources.adapter import TenantAdapter
from datera_volume.connection.transport.session import ClusterSession

UUID = "11111111-2222-4333-8444-555555555555"
NEW = NewAppInstance(name="OS-1", size_gib=1, uuid=UUID, descr="Ours")
LOST = requests.ReadTimeout("read timed out")
TENANT = "/root/x"


def stored(**changed: Any) -> dict[str, Any]:
    """An app instance as the cluster shows it."""
    return {
        "id": "id-1",
        "name": "OS-1",
        "path": "/app_instances/id-1",
        "tenant": TENANT,
        "uuid": UUID,
        "descr": "Ours",
        "create_mode": "openstack",
        "admin_state": "online",
        "storage_instances": [
            {
                "name": "storage-1",
                "path": "/app_instances/id-1/storage_instances/storage-1",
                "access_control_mode": "deny_all",
                "acl_policy": {"initiators": [], "initiator_groups": []},
                "auth": {"type": "none"},
                "volumes": [],
            }
        ],
        **changed,
    }


class Shelf:
    """App instances by name. ``lose`` of the next creates are carried out but not answered."""

    def __init__(self) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.lose = self.swallow = 0
        self.creates = 0
        self.tenants: set[str] = set()

    def __call__(self, seen: Any) -> Any:
        if "/app_instances" not in seen.path:
            return None
        self.tenants.add(seen.headers["tenant"])
        if seen.method == "POST":
            return self._create(seen.body)
        found = self.there.get(seen.path.rsplit("/", 1)[-1])
        return (200, {"data": found}) if found else (404, {"message": "none"})

    def _create(self, body: dict[str, Any]) -> Any:
        self.creates += 1
        if self.swallow:
            self.swallow -= 1
            return LOST
        if body["name"] in self.there:
            return 409, {"message": "exists"}
        self.there[body["name"]] = stored(uuid=body.get("uuid"), descr=body.get("descr", ""))
        if self.lose:
            self.lose -= 1
            return LOST
        return 200, {"data": self.there[body["name"]]}


@pytest.fixture
def shelf(scripted: Any) -> Shelf:
    shelf = Shelf()
    scripted.script = shelf
    return shelf


@pytest.fixture
def tenant(make_session: Callable[..., ClusterSession], clock: Any) -> Tenant:
    return Tenant(TenantAdapter(make_session(), TENANT, Poller(clock.sleep, clock)))


def test_a_lost_answer_is_found_again_in_the_requests_own_tenant(
    shelf: Shelf, tenant: Tenant
) -> None:
    shelf.lose = 1
    assert tenant.create_app_instance(NEW).id == "id-1"
    assert shelf.creates == 1
    assert shelf.tenants == {TENANT}


def test_a_lost_request_is_made_again_once_it_is_known_to_have_done_nothing(
    shelf: Shelf, tenant: Tenant
) -> None:
    shelf.swallow = 1
    assert tenant.create_app_instance(NEW).id == "id-1"
    assert shelf.creates == 2


@pytest.mark.parametrize(
    "others", [{"uuid": "other"}, {"descr": "Theirs"}, {"create_mode": "kubernetes"}]
)
def test_what_stands_there_and_is_not_recognisably_ours_is_not_taken(
    shelf: Shelf, tenant: Tenant, others: dict[str, Any]
) -> None:
    shelf.swallow = 1
    shelf.there["OS-1"] = stored(**others)
    with pytest.raises(connection.AlreadyOnCluster):
        tenant.create_app_instance(NEW)


def test_without_uuid_and_description_nothing_is_recognised(shelf: Shelf, tenant: Tenant) -> None:
    shelf.lose = 1
    with pytest.raises(connection.AlreadyOnCluster):
        tenant.create_app_instance(NewAppInstance(name="OS-1", size_gib=1))


def test_a_name_that_was_taken_before_is_taken(shelf: Shelf, tenant: Tenant) -> None:
    shelf.there["OS-1"] = stored()
    with pytest.raises(connection.AlreadyOnCluster):
        tenant.create_app_instance(NEW)


def test_a_cluster_that_never_answers_leaves_the_outcome_unknown(
    shelf: Shelf, tenant: Tenant
) -> None:
    shelf.swallow = 9
    with pytest.raises(connection.OutcomeUnknown, match="OS-1"):
        tenant.create_app_instance(NEW)
    assert shelf.creates == 3


@pytest.mark.parametrize(
    "found", [stored(name="OS-12"), stored(tenant="/root"), stored(tenant="/root/x/y")]
)
def test_only_the_exact_name_in_the_tenant_itself_is_found(
    shelf: Shelf, tenant: Tenant, found: dict[str, Any]
) -> None:
    shelf.there["OS-1"] = found
    with pytest.raises(connection.NotOnCluster):
        tenant.app_instance("OS-1")
