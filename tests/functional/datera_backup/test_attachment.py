# SPDX-License-Identifier: Apache-2.0
"""Containers are attached while they are used, and by nobody longer."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.datera.one_container import MINE, NAME, OTHERS

if TYPE_CHECKING:
    from datera_backup.storage.attachments import Attachments


@pytest.mark.usefixtures("container")
def test_access_list_has_only_this_host_while_a_container_is_used(
    attachments: Attachments, array: Any
) -> None:
    with attachments.opened(NAME, writable=True) as descriptor:
        assert os.pwrite(descriptor, b"data", 4096) == 4
        assert array.initiators == [MINE]
        assert array.online
    with array.data_file(NAME).open("rb") as file:
        assert file.read(4100)[4096:] == b"data"
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_this_hosts_initiator_is_made_again_if_it_was_removed_since_the_last_use(
    attachments: Attachments, array: Any
) -> None:
    for _ in range(2):
        with attachments.opened(NAME):
            assert array.initiators == [MINE]
        assert array.emulator.cluster.initiators.pop(("/root", MINE))


@pytest.mark.usefixtures("container")
def test_container_opened_for_reading_cannot_be_written(attachments: Attachments) -> None:
    with attachments.opened(NAME) as descriptor, pytest.raises(OSError, match="Bad file"):
        os.pwrite(descriptor, b"data", 0)


@pytest.mark.usefixtures("container")
def test_the_first_out_does_not_take_the_device_from_the_others(
    attachments: Attachments, array: Any
) -> None:
    with attachments.opened(NAME) as outer:
        with attachments.opened(NAME, writable=True) as inner:
            assert len(array.emulator.cluster.sessions) == 1
            os.pwrite(inner, b"x", 0)
        assert array.initiators == [MINE]
        assert len(array.emulator.cluster.sessions) == 1
        assert os.pread(outer, 1, 0) == b"x"
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_many_threads_share_one_attachment(attachments: Attachments, array: Any) -> None:
    barrier = threading.Barrier(6, timeout=30)
    failures: list[BaseException] = []

    def use() -> None:
        try:
            for _ in range(3):
                with attachments.opened(NAME) as descriptor:
                    os.pread(descriptor, 1, 0)
                    barrier.wait()
        except BaseException as failure:
            failures.append(failure)
            barrier.abort()

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_an_error_in_between_leaves_nothing_attached(attachments: Attachments, array: Any) -> None:
    with pytest.raises(KeyError), attachments.opened(NAME):
        raise KeyError
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_another_process_of_the_host_keeps_the_device(
    attachments: Attachments, array: Any, other_process: Any
) -> None:
    with attachments.opened(NAME):
        pass
    assert array.initiators == [MINE]
    assert array.online
    assert not attachments.extend_if_unused(NAME, 2)
    other_process.communicate(b"")
    with attachments.opened(NAME):
        pass
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_another_host_keeps_the_container_online(attachments: Attachments, array: Any) -> None:
    tenant = attachments._tenant
    storage = tenant.app_instance(NAME).storage_instance
    tenant.allow_initiator(storage, OTHERS, "other-host")
    with attachments.opened(NAME):
        assert sorted(array.initiators) == sorted([MINE, OTHERS])
    assert array.initiators == [OTHERS]
    assert array.online
    assert not attachments.extend_if_unused(NAME, 2)
    tenant.deny_initiator(storage, OTHERS)
    with attachments.opened(NAME):
        pass
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_a_used_container_is_not_extended(attachments: Attachments, array: Any) -> None:
    with attachments.opened(NAME):
        assert not attachments.extend_if_unused(NAME, 2)
    assert array.size_gib(NAME) == 1
    assert attachments.extend_if_unused(NAME, 2)
    with attachments.opened(NAME) as descriptor:
        assert os.lseek(descriptor, 0, os.SEEK_END) == 2 * 2**30


@pytest.mark.usefixtures("container")
def test_a_container_is_deleted_when_its_last_user_has_left(
    attachments: Attachments, array: Any
) -> None:
    users = attachments.opened(NAME)
    users.__enter__()

    def sleep(_seconds: float) -> None:
        users.__exit__(None, None, None)

    attachments._sleep = sleep
    attachments.delete(NAME)
    assert array.names == []
    assert not list(Path(array.emulator.state_dir).parent.glob("locks/*users*"))


@pytest.mark.usefixtures("container")
def test_a_container_that_stays_in_use_is_not_deleted(attachments: Attachments, array: Any) -> None:
    from datera_backup.errors import ContainerBusy

    times = iter([0.0, *[1000.0] * 9])
    attachments._clock = lambda: next(times)
    with attachments.opened(NAME), pytest.raises(ContainerBusy, match=NAME):
        attachments.delete(NAME)
    assert array.names == [NAME]


@pytest.mark.usefixtures("container")
def test_a_host_that_died_does_not_keep_a_container_alive(
    attachments: Attachments, array: Any
) -> None:
    storage = attachments._tenant.app_instance(NAME).storage_instance
    attachments._tenant.allow_initiator(storage, OTHERS, "other-host")
    times = iter([0.0, 1.0, 2.0, *[1000.0] * 9])
    attachments._clock = lambda: next(times)
    waits: list[float] = []
    attachments._sleep = waits.append
    attachments.delete(NAME)
    assert waits
    assert array.names == []


def test_a_container_that_is_not_there_is_named(attachments: Attachments) -> None:
    from datera_backup.errors import ContainerGone

    for call in (attachments.delete, attachments.find, lambda n: attachments.opened(n).__enter__()):
        with pytest.raises(ContainerGone, match=rf"{NAME} is not in tenant /root of 127\.0\.0\.1"):
            call(NAME)


def test_somebody_elses_app_instance_is_left_alone(attachments: Attachments, array: Any) -> None:
    from datera_backup.errors import NotOurs
    from datera_volume.connection import NewAppInstance

    made = attachments._tenant.create_app_instance(
        NewAppInstance(name=NAME, size_gib=1, descr="A database")
    )
    attachments._tenant.set_offline(made)
    before = array.instances
    for call in (
        attachments.delete,
        attachments.find,
        lambda n: attachments.extend_if_unused(n, 2),
        lambda n: attachments.opened(n).__enter__(),
    ):
        with pytest.raises(NotOurs, match="A database"):
            call(NAME)
    assert array.instances == before


@pytest.mark.usefixtures("container")
def test_a_target_that_refuses_leaves_nothing_open(
    attachments: Attachments, array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.errors import AttachFailed
    from datera_emulator.target import brick

    def refuse(*_arguments: Any) -> None:
        raise OSError("no path to the target")

    monkeypatch.setattr(brick.FileConnector, "connect_volume", refuse)
    with pytest.raises(AttachFailed, match="no path to the target"):
        attachments.opened(NAME).__enter__()
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_a_failure_to_disconnect_does_not_leave_the_container_open(
    attachments: Attachments,
    array: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from datera_emulator.target import brick

    real = brick.FileConnector.disconnect_volume

    def disconnect(self: Any, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **options)
        raise RuntimeError("the flush failed")

    monkeypatch.setattr(brick.FileConnector, "disconnect_volume", disconnect)
    with attachments.opened(NAME):
        pass
    assert "the flush failed" in caplog.text
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_a_host_without_an_initiator_is_told_so(
    attachments: Attachments, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.errors import AttachFailed
    from datera_emulator.target import brick

    monkeypatch.setattr(
        brick.FileConnector, "get_connector_properties", staticmethod(lambda *_a, **_k: {})
    )
    with pytest.raises(AttachFailed, match="no iSCSI initiator"):
        attachments.opened(NAME).__enter__()
