# SPDX-License-Identifier: Apache-2.0
"""Two cinder-volume services of one cluster serve one Datera backend without interfering."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

import pytest
from openstack.exceptions import SDKException

from demo.waiting import NotYet, until
from tests.services.stack.cloud import Cloud
from tests.services.stack.project import Project
from tests.services.stack.volume_pair import (
    BACKEND,
    HOSTS,
    AttachmentFailed,
    VolumePair,
    all_at_once,
    initiator,
)

ROUNDS = 4
SECONDS = 180.0
ONE, TWO = "compute-one", "compute-two"


@pytest.fixture(scope="module")
def pair(cloud: Cloud, alice: Project) -> Iterator[VolumePair]:
    both = VolumePair(cloud, alice)
    try:
        both.start()
        yield both
    finally:
        both.stop()


def let_in(pair: VolumePair, volume: str) -> set[str]:
    """The initiators in a volume's ACL; the volume is online as long as there is one."""
    seen = pair.seen(volume)
    assert seen.online == bool(seen.hosts)
    return set(seen.hosts)


def test_hosts_attach_and_detach_through_both_services(pair: VolumePair) -> None:
    volume = pair.project.volume(BACKEND)
    attach = functools.partial(pair.attach, volume)
    for _ in range(ROUNDS):
        first, *others = all_at_once(
            functools.partial(attach, host) for host in (TWO, ONE, ONE, TWO, ONE, TWO)
        )
        assert let_in(pair, volume) == {initiator(ONE), initiator(TWO)}
        # All of the one host's, and all but one of the other's.
        all_at_once(functools.partial(pair.detach, one) for one in others)
        assert let_in(pair, volume) == {initiator(TWO)}
        # The last one is detached while another attaches, from the same host and from another.
        for host in (TWO, ONE):
            leaving = functools.partial(pair.detach, first)
            first, _ = all_at_once([functools.partial(attach, host), leaving])
            assert let_in(pair, volume) == {initiator(host)}
        pair.detach(first)
        assert let_in(pair, volume) == set()
    for work in ("Attaching volume", "Detaching volume"):
        assert min(pair.worked(work).values()) > 0
    assert pair.known_initiators() == []
    pair.project.delete_volumes(volume)


def test_attachments_of_one_host_removed_at_once_are_all_gone(
    cloud: Cloud, pair: VolumePair
) -> None:
    volume = pair.project.volume(BACKEND)
    staying = pair.attach(volume, TWO)
    leaving = [pair.attach(volume, ONE) for _ in range(3)]

    def asked() -> bool:
        log = cloud.cinder.log("api")
        return all(re.search(rf"DELETE http\S+/attachments/{one.id}", log) for one in leaving)

    def done() -> bool:
        return sum(pair.worked(f"Detaching volume {volume}: done").values()) == len(leaving)

    with ThreadPoolExecutor(len(leaving)) as side, ExitStack() as stopped:
        with cloud.array_silent():
            calls = [side.submit(pair.detach, one) for one in leaving]
            until("the API's being asked", asked, seconds=SECONDS)
            # It logs calls that it receives, not those that it makes: that takes some milliseconds.
            time.sleep(1)
            # Each record is kept until the API is told that its host is detached.
            stopped.enter_context(cloud.cinder.silent("api"))
        until("their being out", done, seconds=SECONDS)
        stopped.close()
        for call in calls:
            call.result()
    assert let_in(pair, volume) == {initiator(TWO)}
    pair.detach(staying)
    assert let_in(pair, volume) == set()
    pair.project.delete_volumes(volume)


def test_volumes_are_made_grown_and_deleted_through_both(pair: VolumePair) -> None:
    volumes = pair.project.volumes(BACKEND, *[()] * 6)

    def grow(volume: str, size: int, status: str) -> None:
        pair.project.do("volume", "set", "--size", str(size), volume)
        pair.project.await_volume(volume, status)

    # Concurrent attachments wait for each other, in any order.
    attached = all_at_once(
        [
            *(functools.partial(pair.attach, volume, ONE) for volume in volumes[:2]),
            *(functools.partial(grow, volume, 2, "available") for volume in volumes[2:]),
        ]
    )[:2]
    all_at_once(functools.partial(grow, volume, 3, "in-use") for volume in volumes[:2])
    for volume in volumes[:2]:
        assert let_in(pair, volume) == {initiator(ONE)}
    all_at_once(functools.partial(pair.detach, one) for one in attached)
    pair.project.delete_volumes(*volumes)
    assert pair.on_array() == []
    assert pair.known_initiators() == []
    for work in ("Creating volume", "Extending volume", "Deleting volume"):
        assert min(pair.worked(work).values()) > 0


def test_a_volume_service_is_killed_in_the_middle_of_its_work(
    cloud: Cloud, pair: VolumePair
) -> None:
    killed = HOSTS[0]
    deleted = pair.project.volumes(BACKEND, *[()] * 4)
    attached = pair.project.volumes(BACKEND, *[()] * 2)
    grown = pair.project.volumes(BACKEND, *[()] * 2)

    def begun() -> dict[str, str]:
        found = pair.at_work(deleted)
        if len(found) < len(deleted) or set(found.values()) != set(HOSTS):
            raise NotYet(str(found))
        return found

    def attach(volume: str) -> Any:
        try:
            return pair.attach(volume, ONE)
        except AttachmentFailed:
            return None

    def kill() -> dict[str, str]:
        with cloud.array_silent():
            pair.project.do("volume", "delete", *deleted)
            for volume in grown:
                pair.project.do("volume", "set", "--size", "2", volume)
            found = until("both at work", begun, seconds=SECONDS)
            cloud.cinder.kill(killed)
        return found

    *results, at_work = all_at_once(
        [*(functools.partial(attach, volume) for volume in attached), kill]
    )
    left = [volume for volume, host in at_work.items() if host == killed]
    for volume in set(deleted) - set(left):
        pair.project.await_volume_gone(volume)

    # After an administrator's clean-up, the other service takes over the killed one's work.
    def down() -> bool:
        if (state := cloud.services_up()["cinder-volume", f"{killed}@{BACKEND}"]) != "down":
            raise NotYet(state)
        return True

    until("the dead one's being down", down, seconds=SECONDS)
    assert pair.clean_up() == [f"{killed}@{BACKEND}"]
    for volume in left:
        pair.project.await_volume_gone(volume)
    for volume, made in zip(attached, results, strict=True):
        if made is None:
            pair.drop_attachments(volume)
        # Its lock has expired; initiators in the ACL that Cinder does not know do not count.
        attachment = made or pair.attach(volume, ONE)
        assert let_in(pair, volume) == {initiator(ONE)}
        pair.detach(attachment)
        assert let_in(pair, volume) == set()
    for volume in grown:
        if pair.status(volume) == "extending":
            pair.set_state(volume, "available")
            pair.project.do("volume", "set", "--size", "2", volume)
        pair.project.await_volume(volume, "available")
    pair.project.delete_volumes(*attached, *grown)
    assert pair.on_array() == []
    assert pair.known_initiators() == []
    pair.launch(killed)
    pair.await_up(killed)


def test_the_coordinator_is_lost_and_comes_back(pair: VolumePair) -> None:
    volume = pair.project.volume(BACKEND)
    attachment = pair.attach(volume, TWO)
    pair.etcd.kill()
    with pytest.raises(AttachmentFailed):
        pair.attach(volume, ONE)
    with pytest.raises(SDKException):
        pair.detach(attachment)
    assert let_in(pair, volume) == {initiator(TWO)}
    empty = pair.project.volume(BACKEND)
    pair.etcd.start()
    pair.drop_attachments(volume, but_for=attachment)
    others = all_at_once(functools.partial(pair.attach, volume, ONE) for _ in HOSTS)
    assert let_in(pair, volume) == {initiator(ONE), initiator(TWO)}
    pair.detach(attachment)
    assert let_in(pair, volume) == {initiator(ONE)}
    all_at_once(functools.partial(pair.detach, one) for one in others)
    assert let_in(pair, volume) == set()
    pair.project.delete_volumes(volume, empty)
    assert pair.on_array() == []


def test_an_administrator_sees_one_cluster_that_fails_over_to_none(pair: VolumePair) -> None:
    assert pair.name in pair.clusters()
    assert HTTPStatus.BAD_REQUEST <= pair.fail_over() < HTTPStatus.INTERNAL_SERVER_ERROR
    volume = pair.project.volume(BACKEND)
    assert pair.status(volume) == "available"
    pair.project.delete_volumes(volume)
