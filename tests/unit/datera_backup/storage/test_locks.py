# SPDX-License-Identifier: Apache-2.0
"""Locks of the cloud, and locks between the processes of a host."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import tooz

from datera_backup.errors import ContainerBusy, LockLost
from datera_backup.storage.locks import HostLock, access_lock, writer_lock

pytestmark = pytest.mark.release

NAME = "backup-6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a"
OTHER = "backup-0f7a8a45-9b2b-44a0-8d6c-5d0ed6f8f5aa"


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def test_one_writer_at_a_time(coordinated: Path) -> None:
    first, second = writer_lock(NAME), writer_lock(NAME)
    assert first.try_acquire()
    assert not second.try_acquire()
    first.release()
    assert second.try_acquire()
    second.release()


def test_containers_do_not_disturb_one_another(coordinated: Path) -> None:
    first, second = writer_lock(NAME), writer_lock(OTHER)
    assert first.try_acquire()
    assert second.try_acquire()
    with access_lock(NAME, 1):
        pass
    first.release()
    second.release()


def test_waiting_for_a_lock_ends_with_an_error_that_names_the_container(coordinated: Path) -> None:
    time = Time()
    holder = writer_lock(NAME)
    assert holder.try_acquire()
    with pytest.raises(ContainerBusy, match=NAME):
        writer_lock(NAME).acquire(10, sleep=time.sleep, clock=time.clock)
    assert 10 <= time.now < 13
    holder.release()


def test_waiting_for_a_lock_ends_when_it_is_given_back(coordinated: Path) -> None:
    time = Time()
    holder, waiter = writer_lock(NAME), writer_lock(NAME)
    assert holder.try_acquire()

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        holder.release()

    waiter.acquire(10, sleep=sleep, clock=time.clock)
    assert len(time.slept) == 1
    waiter.release()


def test_releasing_what_is_not_held_is_no_error(coordinated: Path) -> None:
    writer_lock(NAME).release()


@pytest.mark.parametrize("owner", [True, False])
def test_a_lock_that_was_lost_is_noticed(coordinated: Path, owner: bool) -> None:
    """The owner is what the backend says, where it knows; else what the lock believes."""
    lock = writer_lock(NAME)
    lock.acquire(1)
    lock.require()
    held = lock._lock
    if owner:
        held.is_still_owner = lambda: False
    else:
        held.is_still_owner = mock.Mock(side_effect=tooz.NotImplemented)
        lock.require()
        held.acquired = False
    with pytest.raises(LockLost, match=NAME):
        lock.require()
    held.acquired = True
    lock.release()
    with pytest.raises(LockLost):
        lock.require()


class EtcdClient:
    """Of a lock whose key has a value, or none; or of a server that does not answer."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.answers = True

    def transaction(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self.answers:
            raise ConnectionError("no answer")
        (compared,) = asked["compare"]
        assert (compared["target"], compared["result"]) == ("VALUE", "EQUAL")
        return {"succeeded": True} if compared["value"] == self.value else {}


class EtcdLock:
    """What the driver for etcd makes: it never says that a lease has ended."""

    acquired = True
    _uuid = "b3Vycw=="
    _key_b64 = "a2V5"

    def __init__(self) -> None:
        self._coord = mock.Mock(client=EtcdClient(self._uuid), _acquired_locks={self})

    def is_still_owner(self) -> bool:
        raise tooz.NotImplemented

    def release(self) -> bool:
        if not self._coord.client.answers:
            raise tooz.ToozError("no answer")
        return False


def test_a_lock_in_etcd_is_lost_with_its_lease(coordinated: Path) -> None:
    lock = writer_lock(NAME)
    lock._lock = etcd = EtcdLock()
    lock.require()
    etcd._coord.client.answers = False
    lock.require()
    etcd._coord.client.answers = True
    etcd._coord.client.value = "dGhlaXJz"
    with pytest.raises(LockLost, match=NAME):
        lock.require()


@pytest.mark.parametrize("answers", [False, True])
def test_a_lock_in_etcd_that_cannot_be_released_is_renewed_no_more(
    coordinated: Path, answers: bool
) -> None:
    lock = writer_lock(NAME)
    lock._lock = etcd = EtcdLock()
    etcd._coord.client.answers = answers
    with pytest.raises(LockLost if answers else tooz.ToozError):
        lock.release()
    assert etcd._coord._acquired_locks == set()


def test_a_lock_in_a_database_is_lost_with_its_connection(coordinated: Path) -> None:
    lock = writer_lock(NAME)
    connection = mock.Mock()
    lock._lock = mock.Mock(spec=["is_still_owner", "acquired", "_conn"], _conn=connection)
    lock._lock.is_still_owner.side_effect = tooz.NotImplemented
    lock.require()
    connection.cursor.return_value.execute.side_effect = ConnectionError("gone away")
    with pytest.raises(LockLost, match=NAME):
        lock.require()


def test_a_backend_that_does_not_answer_has_lost_nothing(coordinated: Path) -> None:
    lock = writer_lock(NAME)
    lock.acquire(1)
    lock._lock.is_still_owner = mock.Mock(side_effect=tooz.ToozError("no answer"))
    lock.require()
    lock.release()


def test_giving_back_what_was_lost_is_an_error(coordinated: Path) -> None:
    lock = writer_lock(NAME)
    lock.acquire(1)
    lock._lock.release()
    with pytest.raises(LockLost, match=NAME):
        lock.release()
    lock.release()


def test_a_removed_lock_leaves_no_file(coordinated: Path) -> None:
    lock = writer_lock(NAME)
    assert lock.try_acquire()
    assert list(coordinated.glob("*write*"))
    lock.release()
    lock.remove()
    assert not list(coordinated.glob("*write*"))


OTHER_PROCESS = """\
import sys
import fasteners
lock = fasteners.InterProcessReaderWriterLock(sys.argv[1])
assert lock.acquire_read_lock(blocking=False)
print("held", flush=True)
sys.stdin.read()
"""


def test_the_last_process_of_a_host_is_the_one_that_is_alone(coordinated: Path) -> None:
    lock = HostLock(NAME)
    assert lock.share(5)
    path = next(coordinated.glob("*users*"))
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        lock.release()
        assert not lock.try_alone()
        other.communicate(b"")
    assert lock.try_alone()
    lock.release()
    lock.remove()
    assert not list(coordinated.glob("*users*"))


def test_a_process_that_dies_gives_its_lock_back(coordinated: Path) -> None:
    lock = HostLock(NAME)
    assert lock.share(5)
    path = next(coordinated.glob("*users*"))
    lock.release()
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        assert not lock.try_alone()
        other.kill()
        other.wait()
    assert lock.try_alone()
    lock.release()
