# SPDX-License-Identifier: Apache-2.0
"""What Cinder's scheduler is told, and what its own filters make of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cinder.scheduler.filters.capabilities_filter import CapabilitiesFilter
from cinder.scheduler.filters.capacity_filter import CapacityFilter
from oslo_utils import timeutils
from tooz import coordination

from datera_emulator import Emulator
from datera_volume.connection import NewAppInstance
from datera_volume.features import attach, stats

pytestmark = pytest.mark.release

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]


def told(service: CinderService) -> dict[str, Any]:
    found: dict[str, Any] = service.volume_manager.driver.get_volume_stats(refresh=True)
    return found


def pool(stats: dict[str, Any]) -> Any:
    """The one pool that Cinder's scheduler makes of them."""
    # It can be imported only after Cinder's objects have been registered.
    from cinder.scheduler.host_manager import BackendState

    host = "testhost@datera"
    told = {**stats, "timestamp": timeutils.utcnow()}
    state = BackendState(host, None, capabilities=told, service={"host": host})
    state.update_from_volume_capability(told, {"host": host})
    (found,) = state.pools.values()
    return found


def has_room(stats: dict[str, Any]) -> bool:
    """Whether the scheduler's own filter would put one more GiB there."""
    return bool(CapacityFilter().backend_passes(pool(stats), {"size": 1}))


def may_grow_attached(stats: dict[str, Any]) -> bool:
    """Whether the scheduler's own filter lets an attached volume grow there."""
    wish = {
        "resource_type": {"extra_specs": {}},
        "request_spec": {
            "operation": "extend_volume",
            "volume_properties": {"attach_status": "attached"},
        },
    }
    return bool(CapabilitiesFilter().backend_passes(pool(stats), wish))


def test_all_capacities_are_divided_by_the_replicas(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    emulator.cluster.switches = emulator.cluster.switches.changed({"total_capacity_gib": "300"})
    service = start_datera()
    service.create_volume(34)
    found = told(service)
    assert (found["total_capacity_gb"], found["provisioned_capacity_gb"]) == (100.0, 34.0)
    assert found["backend_state"] == "up"
    assert has_room(found)


@pytest.mark.parametrize(("product", "grows"), [("2.2.0.0", False), ("3.3.0.0", True)])
def test_an_attached_volume_may_grow_where_the_product_resizes_online(
    start_cinder: Callable[..., CinderService],
    start_emulator: Callable[..., Emulator],
    product: str,
    grows: bool,
) -> None:
    array = start_emulator(sw_version=product)
    service = start_cinder(
        backend=f"""\
volume_driver = datera_volume.driver.DateraDriver
san_ip = 127.0.0.1
san_login = {array.username}
san_password = {array.password}
datera_api_port = {array.http_port}
datera_api_version = 2.1
driver_use_ssl = False
""",
        section="datera",
    )
    assert may_grow_attached(told(service)) is grows
    volume = service.create_volume(1)
    assert told(service)["total_volumes"] == 1
    assert volume.status == "available"


def test_a_migration_need_not_copy_zeros(start_datera: StartDatera) -> None:
    assert told(start_datera())["sparse_copy_volume"] is True


@pytest.mark.parametrize("tenant", ["", "datera_tenant_id = Map\n", "datera_tenant_id = shop\n"])
def test_the_volumes_are_counted_where_this_backend_makes_them(
    start_datera: StartDatera, emulator: Emulator, tenant: str
) -> None:
    service = start_datera(tenant)
    assert told(service)["total_volumes"] == 0
    for _ in range(2):
        service.create_volume(1)
    driver = service.volume_manager.driver
    driver.cluster.tenant("/root/elsewhere").ensure()
    elsewhere = driver.cluster.tenant("/root/elsewhere")
    elsewhere.create_app_instance(NewAppInstance("other-1", 1, descr="of somebody else"))
    assert told(service)["total_volumes"] == (3 if "Map" in tenant else 2)


def test_an_unreachable_cluster_is_reported_down_without_capacity(
    start_datera: StartDatera, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start_datera()
    assert has_room(told(service))
    monkeypatch.setattr(stats, "TIMEOUT", 0.0)
    emulator.faults.answer(503, {"message": "Busy."}, path=".*/system", times=1)
    away = told(service)
    assert away["backend_state"] == "down"
    assert not has_room(away)
    assert away["volume_backend_name"] == "datera"
    assert has_room(told(service))
    assert told(service)["backend_state"] == "up"


def test_a_starting_cluster_is_reported_down(start_datera: StartDatera, emulator: Emulator) -> None:
    service = start_datera()
    system = dict(service.volume_manager.driver.cluster._session.request("GET", "/system")["data"])
    starting = {"data": {**system, "op_state": "booting"}}
    emulator.faults.answer(200, starting, path=".*/system", times=1)
    assert told(service)["backend_state"] == "down"
    assert told(service)["backend_state"] == "up"


@pytest.mark.parametrize("supported", [True, False])
def test_whether_hosts_may_discard_is_the_operators_word(
    start_datera: StartDatera, hosts: Any, supported: bool
) -> None:
    service = start_datera(f"report_discard_supported = {supported}\n")
    attachment = hosts(service).attach(service.create_volume(1), "one")
    assert bool(attachment.connection_info.get("discard")) is supported


def test_volumes_that_cannot_be_counted_take_no_backend_out_of_service(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera("datera_tenant_id = Map\n")
    refused = {"name": "PermissionDeniedError", "message": "not for you", "http": 403}
    emulator.faults.answer(403, refused, path=".*/tenants", times=1)
    found = told(service)
    assert (found["backend_state"], found["total_volumes"]) == ("up", None)
    assert has_room(found)
    assert told(service)["total_volumes"] == 0


def test_a_lost_coordinator_does_not_stop_the_figures(
    start_datera: StartDatera, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start_datera()
    driver = service.volume_manager.driver
    driver._pending_changes.add(service.create_volume(1).id)

    def lost(_volume_id: str) -> Any:
        raise coordination.ToozError("the coordinator is away")

    monkeypatch.setattr(attach, "attachments_lock", lost)
    assert told(service)["backend_state"] == "up"
    assert driver._pending_changes


def test_a_volume_missing_in_one_lookup_is_checked_again_later(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera()
    driver = service.volume_manager.driver
    driver._pending_changes.add(service.create_volume(1).id)
    missing = {"name": "NotFoundError", "message": "not found"}
    emulator.faults.answer(404, missing, method="GET", path=".*app_instances.*", times=None)
    assert told(service)["backend_state"] == "up"
    assert driver._pending_changes
    emulator.faults.clear()
    told(service)
    assert not driver._pending_changes
