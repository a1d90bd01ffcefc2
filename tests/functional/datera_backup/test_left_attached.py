# SPDX-License-Identifier: Apache-2.0
"""What a process that died has left attached is detached by the next one on its host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from demo.waiting import until
from tests.fixtures.datera.one_container import MINE, NAME, OTHERS

if TYPE_CHECKING:
    from datera_backup.storage.attachments import Attachments


@pytest.mark.usefixtures("container")
def test_what_a_dead_process_left_is_cleaned_up_by_the_next(
    attachments: Attachments, array: Any
) -> None:
    tenant = attachments._tenant
    instance = tenant.app_instance(NAME)
    tenant.allow_initiator(instance.storage_instance, MINE, "testhost")
    tenant.set_online(instance)
    assert attachments.extend_if_unused(NAME, 3)
    assert array.size_gib(NAME) == 3
    array.assert_quiet()


@pytest.fixture
def left_open(attachments: Attachments, container: Any) -> Any:
    """The container as a crashed process leaves it."""
    attachments._tenant.allow_initiator(container.storage_instance, MINE, "testhost")
    return attachments._tenant.set_online(container)


@pytest.mark.usefixtures("left_open")
@pytest.mark.parametrize("call", ["backup", "delete"])
def test_what_a_dead_process_left_is_cleaned_up_at_the_first_use(
    cloud: Any, array: Any, call: str
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.storage import leftovers

    DateraBackupDriver(cloud.context).check_for_setup_error()
    assert array.initiators == [MINE]
    if call == "delete":
        leftovers.begin_sweep(leftovers.Place(f"127.0.0.1:{array.emulator.https_port}", "/root"))
    other = cloud.create_backup(cloud.create_volume(1))
    if call == "delete":
        assert array.initiators == [MINE]
        leftovers.forget_all()
        assert cloud.delete_backup(other) is None
    array.assert_quiet()
    assert NAME in array.names


def test_this_host_is_removed_in_the_letters_that_the_cluster_lists(
    attachments: Attachments, container: Any, array: Any
) -> None:
    attachments._tenant.allow_initiator(
        container.storage_instance, MINE.replace("testhost", "TestHost"), "testhost"
    )
    attachments._tenant.set_online(container)
    attachments.clear_leftovers()
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_online_container_with_an_empty_access_list_is_set_offline(
    attachments: Attachments, array: Any
) -> None:
    attachments._tenant.set_online(attachments.find(NAME))
    attachments.clear_leftovers()
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_container_in_use_is_no_leftover(
    attachments: Attachments, array: Any, other_process: Any
) -> None:
    from datera_backup.storage import leftovers

    with attachments.opened(NAME) as descriptor:
        attachments.clear_leftovers()
        assert array.initiators == [MINE]
        os.pread(descriptor, 1, 0)
    leftovers.forget_all()
    attachments.clear_leftovers()
    assert array.initiators == [MINE]
    other_process.communicate(b"")
    leftovers.forget_all()
    attachments.clear_leftovers()
    array.assert_quiet()


@pytest.mark.usefixtures("left_open")
def test_leftovers_of_other_hosts_are_not_touched(attachments: Attachments, array: Any) -> None:
    storage = attachments._tenant.app_instance(NAME).storage_instance
    attachments._tenant.allow_initiator(storage, OTHERS, "other-host")
    attachments.clear_leftovers()
    assert array.initiators == [OTHERS]
    attachments._tenant.deny_initiator(storage, OTHERS)
    attachments._tenant.set_offline(attachments.find(NAME))


@pytest.mark.usefixtures("left_open")
def test_a_clean_up_that_fails_is_a_warning_and_is_tried_again_by_the_next_operation(
    attachments: Attachments, array: Any, caplog: pytest.LogCaptureFixture
) -> None:
    array.emulator.faults.drop(times=None)
    attachments.clear_leftovers()
    array.emulator.faults.clear()
    assert "cannot be looked for" in caplog.text
    assert array.initiators == [MINE]
    attachments.clear_leftovers()
    array.assert_quiet()


@pytest.mark.usefixtures("left_open")
def test_what_a_dead_process_still_holds_locked_is_detached_once_its_lease_ends(
    cloud: Any, array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A starting service does so by itself, for its next operation may come tomorrow."""
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.storage import attachments, leftovers
    from datera_backup.storage.locks import CloudLock

    monkeypatch.setattr(attachments, "LEFTOVER_SECONDS", 0.0)
    place = leftovers.Place(f"127.0.0.1:{array.emulator.https_port}", "/root")
    dead = CloudLock("access", NAME)
    dead.acquire(1)
    DateraBackupDriver(cloud.context).check_for_setup_error()
    until("the first try", lambda: leftovers.noted(place) == [NAME], seconds=60)
    assert array.initiators == [MINE]
    dead.release()
    until("the clean-up", lambda: not leftovers.noted(place), seconds=60)
    array.assert_quiet()
