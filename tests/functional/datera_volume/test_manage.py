# SPDX-License-Identifier: Apache-2.0
"""What stands on a cluster becomes what its volume type demands, or stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception, objects
from oslo_utils import uuidutils

from datera_emulator import Emulator
from datera_emulator.target.login import PortalLogin

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]

ONE = "/app_instances/[^/]+"
STORAGE = f"{ONE}/storage_instances/disks"
VOLUME = f"{STORAGE}/volumes/data"
BROKEN = {"message": "broken"}


class Stranger:
    """An app instance that somebody else has made, and Cinder that is to manage it."""

    def __init__(self, service: CinderService, emulator: Emulator) -> None:
        self.service = service
        self.emulator = emulator
        self.tenant = service.volume_manager.driver.cluster.tenant()

    def make(self, *, size: float = 1, open_to_all: bool = False, **volume: Any) -> None:
        """Make it, with this volume."""
        inside = {"name": "data", "size": size, "replica_count": 2, **volume}
        body = {
            "name": "theirs",
            "access_control_mode": "allow_all" if open_to_all else "deny_all",
            "storage_instances": [{"name": "disks", "volumes": [inside]}],
        }
        self.tenant._adapter.session.request("POST", "/app_instances", body=body)
        self.tenant.set_online(self.tenant.app_instance("theirs"))

    def pool(self, name: str) -> None:
        """Make an IP pool."""
        self.tenant._adapter.session.request(
            "POST", "/access_network_ip_pools", body={"name": name}
        )

    def manage(self, **specs: str) -> Any:
        """Manage it as a volume of a type with these specs, and return what became of that."""
        context = self.service.context
        scoped = {f"DF:{name}": value for name, value in specs.items()}
        volume_type = self.service.create_volume_type(uuidutils.generate_uuid(), scoped)
        volume = objects.Volume(
            context,
            size=0,
            project_id=context.project_id,
            user_id=context.user_id,
            status="managing",
            host=f"{self.service.volume_manager.host}#datera",
            volume_type_id=volume_type.id,
        )
        volume.create()
        failed = None
        try:
            self.service.volume_manager.manage_existing(
                context, volume, {"source-name": "theirs:disks:data"}
            )
        except exception.CinderException as exc:
            failed = exc
        return self.service.volume(volume.id), failed

    def state(self) -> tuple[Any, ...]:
        """All that managing changes, as the cluster has it."""
        (found,) = self.emulator.cluster.app_instances.values()
        ((storage, inside),) = found.volumes()
        limits = {name: most for name, most in (inside.performance_policy or {}).items() if most}
        return (
            found.name,
            found.admin_state,
            storage.access_control_mode,
            storage.ip_pool,
            inside.size,
            inside.replica_count,
            inside.placement_mode,
            limits,
        )

    def listed(self) -> dict[str, Any]:
        """Return its entry in the list of what can be managed."""
        driver = self.service.volume_manager.driver
        (entry,) = driver.get_manageable_volumes([], None, 10, 0, ["reference"], ["asc"])
        return dict(entry)


@pytest.fixture
def stranger(start_datera: StartDatera, emulator: Emulator) -> Stranger:
    return Stranger(start_datera(), emulator)


def test_managed_volume_gets_what_its_type_demands(stranger: Stranger) -> None:
    stranger.make(size=2.5)
    stranger.pool("fast")
    volume, failed = stranger.manage(
        replica_count="4", placement_mode="all_flash", ip_pool="fast", iops_per_gb="10"
    )
    assert (failed, volume.status, volume.size) == (None, "available", 3)
    limits = {"total_iops_max": 30}
    wanted = (f"OS-{volume.id}", "offline", "deny_all", "fast", 3, 4, "all_flash", limits)
    assert stranger.state() == wanted


def test_what_neither_type_nor_section_says_stays_as_it_is(stranger: Stranger) -> None:
    stranger.make(replica_count=5, placement_mode="single_flash")
    stranger.pool("lab")
    ai = stranger.tenant.set_offline(stranger.tenant.app_instance("theirs"))
    stranger.tenant.set_ip_pool(ai.storage_instance, "lab")
    volume, _failed = stranger.manage()
    name = f"OS-{volume.id}"
    assert stranger.state() == (name, "offline", "deny_all", "lab", 1, 5, "single_flash", {})


@pytest.mark.parametrize(
    ("specs", "reason"),
    [
        ({"replica_count": "1", "total_iops_max": "5"}, "cannot be reduced to 1"),
        ({"template": "gold"}, "its template would change from None to gold"),
        ({"acl_allow_all": "True"}, "cannot be opened to all"),
        ({"ip_pool": "no-such-pool", "total_iops_max": "5"}, "no-such-pool"),
        ({"placement_policy": "no-such-policy", "total_iops_max": "5"}, "no-such-policy"),
    ],
)
def test_type_that_cannot_be_had_is_a_mismatch_and_nothing_has_changed(
    stranger: Stranger, specs: dict[str, str], reason: str
) -> None:
    stranger.make(size=1.5)
    before = stranger.state()
    volume, failed = stranger.manage(**specs)
    assert isinstance(failed, exception.ManageExistingVolumeTypeMismatch)
    assert reason in str(failed)
    assert volume.status == "error_managing"
    assert stranger.state() == before


def test_volume_of_a_template_is_managed_under_a_type_with_that_template_alone(
    stranger: Stranger,
) -> None:
    inside = {"name": "data", "size": 1, "replica_count": 2}
    storages = [{"name": "disks", "volume_templates": [inside]}]
    ask = stranger.tenant._adapter.session.request
    ask("POST", "/app_templates", body={"name": "gold", "storage_templates": storages})
    body = {"name": "theirs", "app_template": {"path": "/app_templates/gold"}}
    ask("POST", "/app_instances", body=body)
    assert stranger.listed()["extra_info"]["template"] == "gold"
    for specs in ({}, {"template": "silver"}):
        _volume, failed = stranger.manage(**specs)
        assert isinstance(failed, exception.ManageExistingVolumeTypeMismatch)
    # What the template says of replicas counts instead of what the type says.
    volume, failed = stranger.manage(template="gold", replica_count="3")
    assert (failed, volume.status, stranger.state()[5]) == (None, "available", 2)


@pytest.mark.parametrize("online", [True, False])
def test_what_is_open_to_all_is_closed_unless_its_type_is_open_too(
    stranger: Stranger, *, online: bool
) -> None:
    stranger.make(open_to_all=True)
    if not online:
        stranger.tenant.set_offline(stranger.tenant.app_instance("theirs"))
    entry = stranger.listed()
    assert not entry["safe_to_manage"]
    assert "open to all hosts" in entry["reason_not_safe"]
    volume, failed = stranger.manage()
    assert (failed, volume.status) == (None, "available")
    assert stranger.state()[1:3] == ("offline", "deny_all")


def test_what_is_open_to_all_stays_so_and_on_under_a_type_that_is(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera("datera_volume_type_defaults = acl_allow_all:True\n")
    stranger = Stranger(service, emulator)
    stranger.make(open_to_all=True, size=1.5)
    assert stranger.listed()["safe_to_manage"]
    volume, failed = stranger.manage()
    assert (failed, volume.status, volume.size) == (None, "available", 2)
    assert stranger.state()[1:3] == ("online", "allow_all")


@pytest.mark.parametrize("told", [True, False])
def test_what_is_open_to_all_is_not_closed_under_who_is_logged_in(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch, *, told: bool
) -> None:
    stranger.make(open_to_all=True)
    storage = stranger.tenant.app_instance("theirs").storage_instance
    before = stranger.state()
    session = PortalLogin(
        f"{storage.ips[0]}:3260",
        initiator="iqn.1994-05.com.redhat:somebody",
        target=storage.iqn,
        lun=0,
    )
    if not told:
        # A product that does not say who is logged in refuses to be switched off under them.
        monkeypatch.setattr(
            "datera_volume.connection.resources.parsing._logged_in", lambda _fields: None
        )
    volume, failed = stranger.manage()
    assert isinstance(failed, exception.ManageExistingVolumeTypeMismatch)
    assert ("logged in" if told else "active initiators") in str(failed)
    assert (volume.status, stranger.state()) == ("error_managing", before)
    assert session.alive()
    session.end()


# Each change in turn: the limits, the placement, the pool, the name, and the size.
@pytest.mark.parametrize(
    ("failing", "nth"),
    [(f"{VOLUME}/performance_policy", 1), (VOLUME, 1), (STORAGE, 1), (ONE, 2), (VOLUME, 2)],
)
@pytest.mark.parametrize("open_to_all", [True, False])
def test_managing_that_fails_half_way_is_undone_the_name_too(
    stranger: Stranger, failing: str, nth: int, *, open_to_all: bool
) -> None:
    stranger.make(size=1.5, open_to_all=open_to_all, performance_policy={"read_iops_max": 3})
    stranger.pool("fast")
    before = stranger.state()
    fault = stranger.emulator.faults.answer(500, BROKEN, method="PUT", path=failing, nth=nth)
    volume, failed = stranger.manage(
        placement_mode="all_flash", ip_pool="fast", total_iops_max="5", replica_count="3"
    )
    assert fault.hits == 1
    assert (type(failed), volume.status) == (
        exception.VolumeBackendAPIException,
        "error_managing",
    )
    assert stranger.state() == before
