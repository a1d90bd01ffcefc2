# SPDX-License-Identifier: Apache-2.0
"""Containers are attached while they are used, and by nobody longer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from datera_backup.attachment import Attachments

NAME = "backup-6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a"
MINE = "iqn.1993-08.org.debian:01:testhost"
OTHERS = "iqn.1993-08.org.debian:01:otherhost"


@pytest.fixture
def attachments(cloud: Any) -> Attachments:
    """Those of a process that has not looked for leftovers."""
    from oslo_config import cfg

    from datera_backup import leftovers
    from datera_backup.backend import backend_for
    from datera_backup.settings import read_settings

    leftovers.forget_all()
    return backend_for(read_settings(cfg.CONF)).attachments


@pytest.fixture
def container(attachments: Attachments, array: Any) -> Any:
    """A container that was made and not used yet."""
    from datera_volume.connection import NewAppInstance

    made = attachments._tenant.create_app_instance(
        NewAppInstance(name=NAME, size_gib=1, descr="Cinder backup container of volume x")
    )
    return attachments._tenant.set_offline(made)


def initiators(array: Any) -> list[str]:
    return [
        path.rsplit("/", 1)[-1]
        for ai in array.instances
        for storage in ai.storage_instances.values()
        for path in storage.initiators
    ]


def online(array: Any) -> bool:
    return any(ai.admin_state == "online" for ai in array.instances)


@pytest.mark.usefixtures("container")
def test_a_container_is_open_to_this_host_alone_while_it_is_used(
    attachments: Attachments, array: Any
) -> None:
    with attachments.opened(NAME, writable=True) as descriptor:
        assert os.pwrite(descriptor, b"data", 4096) == 4
        assert initiators(array) == [MINE]
        assert online(array)
    assert array.data_file(NAME).read_bytes()[4096:4100] == b"data"
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_who_only_reads_cannot_write(attachments: Attachments) -> None:
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
        assert initiators(array) == [MINE]
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


OTHER_PROCESS = """\
import sys
import fasteners
lock = fasteners.InterProcessReaderWriterLock(sys.argv[1])
assert lock.acquire_read_lock(blocking=False)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[Any]:
    """Another process of this host that uses the container too, until its input ends."""
    path = tmp_path / "locks" / f"datera-backup-users-{NAME}"
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield process
        if process.poll() is None:
            process.communicate(b"")


@pytest.mark.usefixtures("container")
def test_another_process_of_the_host_keeps_the_device(
    attachments: Attachments, array: Any, other_process: Any
) -> None:
    with attachments.opened(NAME):
        pass
    assert initiators(array) == [MINE]
    assert online(array)
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
        assert sorted(initiators(array)) == sorted([MINE, OTHERS])
    assert initiators(array) == [OTHERS]
    assert online(array)
    assert not attachments.extend_if_unused(NAME, 2)
    tenant.deny_initiator(storage, OTHERS)
    with attachments.opened(NAME):
        pass
    array.assert_quiet()


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
    """The container as a process that died leaves it."""
    attachments._tenant.allow_initiator(container.storage_instance, MINE, "testhost")
    return attachments._tenant.set_online(container)


@pytest.mark.usefixtures("left_open")
@pytest.mark.parametrize("call", ["backup", "delete"])
def test_what_a_dead_process_left_is_cleaned_up_at_the_first_use(
    cloud: Any, array: Any, call: str
) -> None:
    from datera_backup import leftovers
    from datera_backup.driver import DateraBackupDriver

    DateraBackupDriver(cloud.context).check_for_setup_error()
    assert initiators(array) == [MINE]
    if call == "delete":
        leftovers.begin_sweep(leftovers.Place(f"127.0.0.1:{array.emulator.https_port}", "/root"))
    other = cloud.create_backup(cloud.create_volume(1))
    if call == "delete":
        assert initiators(array) == [MINE]
        leftovers.forget_all()
        assert cloud.delete_backup(other) is None
    array.assert_quiet()
    assert NAME in array.names


@pytest.mark.usefixtures("container")
def test_one_that_is_online_for_nobody_is_closed(attachments: Attachments, array: Any) -> None:
    attachments._tenant.set_online(attachments.find(NAME))
    attachments.clear_leftovers()
    array.assert_quiet()


@pytest.mark.usefixtures("container")
def test_what_is_in_use_is_no_leftover(
    attachments: Attachments, array: Any, other_process: Any
) -> None:
    from datera_backup import leftovers

    with attachments.opened(NAME) as descriptor:
        attachments.clear_leftovers()
        assert initiators(array) == [MINE]
        os.pread(descriptor, 1, 0)
    leftovers.forget_all()
    attachments.clear_leftovers()
    assert initiators(array) == [MINE]
    other_process.communicate(b"")
    leftovers.forget_all()
    attachments.clear_leftovers()
    array.assert_quiet()


@pytest.mark.usefixtures("left_open")
def test_other_hosts_leftovers_are_left_to_them(attachments: Attachments, array: Any) -> None:
    storage = attachments._tenant.app_instance(NAME).storage_instance
    attachments._tenant.allow_initiator(storage, OTHERS, "other-host")
    attachments.clear_leftovers()
    assert initiators(array) == [OTHERS]
    attachments._tenant.deny_initiator(storage, OTHERS)
    attachments._tenant.set_offline(attachments.find(NAME))


@pytest.mark.usefixtures("left_open")
def test_a_clean_up_that_fails_is_a_warning_and_is_tried_again_by_the_next_operation(
    attachments: Attachments, array: Any, caplog: pytest.LogCaptureFixture
) -> None:
    array.emulator.faults.drop(times=None)
    attachments.clear_leftovers()
    array.emulator.faults.clear()
    assert "are not looked for" in caplog.text
    assert initiators(array) == [MINE]
    attachments.clear_leftovers()
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
    from datera_emulator import brick

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
    from datera_emulator import brick

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
    from datera_emulator import brick

    monkeypatch.setattr(
        brick.FileConnector, "get_connector_properties", staticmethod(lambda *_a, **_k: {})
    )
    with pytest.raises(AttachFailed, match="no iSCSI initiator"):
        attachments.opened(NAME).__enter__()
