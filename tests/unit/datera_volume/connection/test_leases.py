# SPDX-License-Identifier: Apache-2.0
"""Locks that cannot be released end with their leases."""

from __future__ import annotations

from typing import Any

import pytest

from datera_volume.connection.leases import release_lock


class Coordinator:
    def __init__(self) -> None:
        self._acquired_locks: set[Any] = set()


class EtcdLock:
    """As tooz' for etcd: renewed until it was released.

    :param answer: to a release: whether the lock was held, or why that is not known.
    """

    def __init__(self, answer: bool | Exception) -> None:
        self._coord = Coordinator()
        self._answer = answer

    @property
    def renewed(self) -> bool:
        return self in self._coord._acquired_locks

    def acquire(self) -> None:
        self._coord._acquired_locks.add(self)

    def release(self) -> bool:
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer:
            self._coord._acquired_locks.remove(self)
        return self._answer


def test_a_lock_that_was_not_released_is_renewed_no_more() -> None:
    lock = EtcdLock(ConnectionError("away"))
    lock.acquire()
    assert lock.renewed
    with pytest.raises(ConnectionError):
        release_lock(lock)
    assert not lock.renewed


@pytest.mark.parametrize("held", [True, False])
def test_a_release_says_whether_the_lock_was_held(held: bool) -> None:
    lock = EtcdLock(held)
    lock.acquire()
    assert release_lock(lock) is held
    assert not lock.renewed
