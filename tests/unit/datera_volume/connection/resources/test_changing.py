# SPDX-License-Identifier: Apache-2.0
"""Changes that a cluster takes its time for, or refuses while it is at another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from datera_volume import connection
from datera_volume.connection import Snapshot, Tenant, Volume
from datera_volume.connection.polling import Poller
from datera_volume.connection.resources.adapter import TenantAdapter
from datera_volume.connection.transport.session import ClusterSession

PATH = "/app_instances/1/storage_instances/storage-1/volumes/volume-1"
VOLUME = Volume("volume-1", PATH, 1)
SNAPSHOT = Snapshot("u", "1500000000.1", "available", f"{PATH}/snapshots/1500000000.1")
RESIZING, MOVING = "volume_resize_in_progress", "placement_change_in_progress"
REFUSED = (400, {"message": "Another operation is in progress."})


def shown(size: int = 1, op_status: str = "none", **more: Any) -> Any:
    return 200, {"data": {"path": PATH, "size": size, "op_status": op_status, **more}}


def restoring(op_state: str) -> Any:
    return shown(1, "internal_operation_in_progress", op_state=op_state)


@pytest.fixture
def tenant(make_session: Callable[..., ClusterSession], clock: Any) -> Tenant:
    return Tenant(TenantAdapter(make_session(busy_timeout=0), "/root", Poller(clock.sleep, clock)))


@pytest.fixture
def script(scripted: Any) -> Callable[..., None]:
    """Let the cluster answer to changes of the volume and to questions, one after the other."""

    def script(puts: Iterable[Any], gets: Iterable[Any]) -> None:
        left = {"PUT": iter(puts), "GET": iter(gets)}
        last: dict[str, Any] = {}

        def answer(seen: Any) -> Any:
            if not seen.path.endswith(PATH):
                return None
            last[seen.method] = next(left[seen.method], last.get(seen.method))
            return last[seen.method]

        scripted.script = answer

    return script


@pytest.mark.parametrize("first", [shown(1), shown(1, RESIZING), shown(2, RESIZING), (200, {})])
def test_an_extension_is_polled_until_it_is_in_effect(
    scripted: Any, script: Callable[..., None], tenant: Tenant, first: Any
) -> None:
    script([first], [shown(1, RESIZING), shown(2, RESIZING), shown(2)])
    tenant.resize_volume(VOLUME, 2)
    assert (scripted.asked("PUT", PATH), scripted.asked("GET", PATH)) == (1, 3)


def test_an_extension_in_effect_at_once_is_not_polled(
    scripted: Any, script: Callable[..., None], tenant: Tenant
) -> None:
    script([shown(2)], [])
    tenant.resize_volume(VOLUME, 2)
    assert scripted.asked("GET", PATH) == 0


@pytest.mark.parametrize("look", [(500, {}), (200, b"<html>"), (403, {}), (200, {"data": {}})])
def test_a_failed_poll_does_not_fail_an_extension(
    scripted: Any, script: Callable[..., None], tenant: Tenant, look: Any
) -> None:
    script([shown(1, RESIZING)], [look, shown(1, RESIZING), look, shown(2)])
    tenant.resize_volume(VOLUME, 2)
    assert scripted.asked("GET", PATH) == 4


def test_an_extension_that_does_not_end_is_an_error(
    script: Callable[..., None], tenant: Tenant
) -> None:
    script([shown(1, RESIZING)], [shown(1, RESIZING)])
    with pytest.raises(connection.NotReadyInTime, match=r"extending .* to 2 GiB"):
        tenant.resize_volume(VOLUME, 2)


def test_lost_change_that_is_still_in_progress_is_waited_for(
    scripted: Any, script: Callable[..., None], tenant: Tenant
) -> None:
    script([(502, b"")], [shown(1, RESIZING), shown(1, RESIZING), shown(2)])
    tenant.resize_volume(VOLUME, 2)
    assert scripted.asked("PUT", PATH) == 1


def test_change_that_another_one_is_in_the_way_of_is_made_after_that(
    scripted: Any, script: Callable[..., None], tenant: Tenant
) -> None:
    script([REFUSED, shown(2)], [shown(1, MOVING), shown(1, MOVING), shown(1)])
    tenant.resize_volume(VOLUME, 2)
    assert scripted.asked("PUT", PATH) == 2


@pytest.mark.parametrize("gets", [[shown(1)], [shown(1, MOVING)], [shown(1, MOVING), shown(1)]])
def test_refusal_that_does_not_pass_is_told_as_it_is(
    script: Callable[..., None], tenant: Tenant, gets: list[Any]
) -> None:
    script([REFUSED], gets)
    with pytest.raises(connection.RequestRefused, match="Another operation"):
        tenant.resize_volume(VOLUME, 2)


def test_moving_data_is_left_to_the_cluster(
    scripted: Any, script: Callable[..., None], tenant: Tenant
) -> None:
    script([shown(1, "replica_change_in_progress", replica_count=2)], [])
    tenant.set_replica_count(VOLUME, 3)
    tenant.set_placement(VOLUME, "all_flash", None)
    assert scripted.asked("GET", PATH) == 0


def test_restoring_that_is_refused_while_the_first_request_is_at_work_waits_for_it(
    scripted: Any, script: Callable[..., None], tenant: Tenant
) -> None:
    available = shown(op_state="available")
    script([REFUSED, available], [shown(op_state="restoring"), available])
    tenant.restore(VOLUME, SNAPSHOT)
    assert scripted.asked("PUT", PATH) == 2


@pytest.mark.parametrize("op_state", ["available", "restoring"])
def test_restoring_is_waited_for_whichever_field_tells_it(
    scripted: Any, script: Callable[..., None], tenant: Tenant, op_state: str
) -> None:
    at_work, done = restoring(op_state), shown(op_state="available")
    script([at_work], [at_work, done])
    tenant.restore(VOLUME, SNAPSHOT)
    assert scripted.asked("GET", PATH) == 2


def test_restoring_that_is_refused_is_told(
    scripted: Any, script: Callable[..., None], tenant: Tenant
) -> None:
    script([REFUSED], [shown(op_state="available")])
    with pytest.raises(connection.RequestRefused):
        tenant.restore(VOLUME, SNAPSHOT)
    assert scripted.asked("PUT", PATH) == 1
