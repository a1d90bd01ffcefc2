# SPDX-License-Identifier: Apache-2.0
"""Two processes of one cluster of cinder-volume: what one does, the other knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cinder import exception

IQN = "iqn.1994-05.com.redhat:one"
HOST = {"initiator": IQN, "host": "one", "mountpoint": "/dev/vdb", "multipath": False}
OTHER = {**HOST, "initiator": "iqn.1994-05.com.redhat:two", "host": "two"}


class Processes:
    """Two drivers, and Cinder's records that both read."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.here, self.there = array.driver, array.another_driver()
        self.volume = array.volume()
        self.volume.update({"status": "in-use"})
        self.volume.save()

    def attach(self, driver: Any, connector: dict[str, Any]) -> Any:
        """What Cinder does for an instance; the record."""
        record = self.record(None)
        driver.initialize_connection(self.volume, connector)
        self.write(record, connector)
        return record

    def record(self, connector: dict[str, Any] | None) -> Any:
        """One of Cinder's attachments."""
        from cinder import objects

        record = objects.VolumeAttachment(
            self.array.service.context, volume_id=self.volume.id, attach_status="reserved"
        )
        record.create()
        if connector is not None:
            self.write(record, connector)
        return record

    @staticmethod
    def write(record: Any, connector: dict[str, Any]) -> None:
        """What Cinder does once a driver has let the host in."""
        record.connector = {key: str(value) for key, value in connector.items()}
        record.save()

    @property
    def let_in(self) -> list[str]:
        found, storage, _volume = self.array.stored(self.volume)
        assert (found.admin_state == "online") == bool(storage.initiators)
        return sorted(storage.initiators)


@pytest.fixture
def processes(array: Any) -> Iterator[Processes]:
    both = Processes(array)
    yield both
    both.there.cluster.close()


def test_two_concurrent_detachments_from_one_host_revoke_its_access(processes: Processes) -> None:
    for driver in (processes.here, processes.there):
        processes.attach(driver, HOST)
    assert processes.here.terminate_connection(processes.volume, HOST) is True
    # The API takes a record away only when the driver has answered.
    assert processes.there.terminate_connection(processes.volume, HOST) is False
    assert processes.let_in == []


def test_attaching_while_another_of_the_host_detaches_keeps_access(processes: Processes) -> None:
    leaving = processes.attach(processes.here, HOST)
    coming = processes.record(None)
    processes.here.initialize_connection(processes.volume, HOST)
    processes.there.terminate_connection(processes.volume, HOST)
    assert processes.let_in == [IQN]
    processes.write(coming, HOST)
    leaving.destroy()
    processes.here.terminate_connection(processes.volume, HOST)
    assert processes.let_in == []


def test_who_is_let_in_without_a_record_counts_elsewhere(processes: Processes) -> None:
    own = {"initiator": IQN, "host": "one"}
    processes.attach(processes.there, HOST)
    processes.here.initialize_connection(processes.volume, own)
    processes.there.terminate_connection(processes.volume, HOST)
    assert processes.let_in == [IQN]
    processes.there.terminate_connection(processes.volume, own)
    assert processes.let_in == []


def test_an_attachment_repeated_at_another_process_is_detached_once(processes: Processes) -> None:
    for driver in (processes.here, processes.there):
        driver.initialize_connection(processes.volume, HOST)
    processes.here.terminate_connection(processes.volume, HOST)
    assert processes.let_in == []


def test_a_first_hosts_access_is_revoked_by_the_next_process(processes: Processes) -> None:
    third = {**HOST, "initiator": "iqn.1994-05.com.redhat:three", "host": "three"}
    changing = processes.attach(processes.here, HOST)
    processes.here.initialize_connection(processes.volume, OTHER)
    processes.write(changing, OTHER)
    processes.attach(processes.there, third)
    assert processes.let_in == ["iqn.1994-05.com.redhat:three", "iqn.1994-05.com.redhat:two"]


def test_a_failed_attachment_blocks_no_other(processes: Processes) -> None:
    processes.attach(processes.here, HOST)
    processes.record(None)
    processes.array.emulator.faults.answer(
        500, {"message": "broken"}, method="PUT", path=".*/acl_policy/initiators"
    )
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        processes.here.initialize_connection(processes.volume, OTHER)
    again = {**OTHER, "host": "two again"}
    processes.there.initialize_connection(processes.volume, again)
    processes.there.terminate_connection(processes.volume, again)
    assert processes.let_in == [IQN]


def test_a_departure_of_all_leaves_no_transition(processes: Processes) -> None:
    processes.here.initialize_connection(processes.volume, HOST)
    processes.there.terminate_connection(processes.volume, None, force=True)
    processes.record(HOST)
    assert processes.there.terminate_connection(processes.volume, HOST) is False


@pytest.mark.parametrize(
    "switch", [{"metadata_merges": False}, {"limits": 10}, {"ecosystem_data_wrapped": True}]
)
def test_attaching_works_with_any_kind_of_metadata(
    recent: Any, caplog: Any, switch: dict[str, Any]
) -> None:
    cluster = recent.emulator.cluster
    usual = cluster.switches
    if "limits" in switch:
        switch = {"limits": dataclasses.replace(usual.limits, metadata_characters=10)}
    cluster.switches = dataclasses.replace(usual, **switch)
    processes = Processes(recent)
    try:
        for driver in (processes.here, processes.there):
            processes.attach(driver, HOST)
        processes.here.terminate_connection(processes.volume, HOST)
        processes.there.terminate_connection(processes.volume, None)
        assert processes.let_in == []
        assert ("could not be stored" in caplog.text) == ("limits" in switch)
    finally:
        cluster.switches = usual
        processes.there.cluster.close()


@pytest.mark.parametrize("call", ["failover_host", "failover"])
def test_failing_over_is_refused_and_leaves_the_backend_as_it_is(recent: Any, call: str) -> None:
    fail_over: Callable[..., Any] = getattr(recent.driver, call)
    with pytest.raises(exception.InvalidReplicationTarget, match="does not replicate"):
        fail_over(None, [], secondary_id="elsewhere", groups=[])
    recent.driver.failover_completed(None, "")
