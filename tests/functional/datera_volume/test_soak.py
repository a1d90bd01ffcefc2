# SPDX-License-Identifier: Apache-2.0
"""Many threads on a cluster that fails in every way that it can, and nothing is left in the end."""

from __future__ import annotations

import threading
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from datera_emulator import Emulator
from datera_volume.connection import (
    Cluster,
    ClusterBusy,
    ClusterFault,
    ClusterUnreachable,
    OutcomeUnknown,
    SessionEnded,
    Tenant,
    UnexpectedAnswer,
)
from datera_volume.operations import host_access, provisioning
from datera_volume.operations.provisioning import VolumeRequest
from datera_volume.policies import Policies
from tests.fixtures.faults.extent import amount, seed_of_the_run

pytestmark = pytest.mark.faults

T = TypeVar("T")

SECONDS = amount(small=5, brief=5, whole=60)
SEED = seed_of_the_run()
THREADS = 32
RATE = 0.02
TENANT = "/root/soak"
# How long a thread may take to end what it is at, once the time is over; and how much longer they
# all go on where the faults struck each time that something was tried.
PATIENCE = 60.0
EXTRA = 30.0
MUST_WORK = ("create", "attach", "snapshot", "clone")

# What a failing cluster may make of an operation. Nothing that tells an operator to do something
# (a password, a permission), and nothing that would be a wrong word about what is there.
EXPECTED = (
    ClusterBusy,
    ClusterFault,
    ClusterUnreachable,
    OutcomeUnknown,
    SessionEnded,
    UnexpectedAnswer,
)
POLICIES = Policies(replica_count=1)


@dataclass
class Soak:
    """What all threads share, and what they have to tell."""

    tenant: Tenant
    deadline: float
    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether there is time left, or something that has not worked once."""
        now = time.monotonic()
        undone = not all(self.done[what] for what in MUST_WORK)
        return now < self.deadline or (undone and now < self.deadline + EXTRA)

    def tried(self, what: str, operation: Callable[[], T]) -> T | None:
        """Do it once, as Cinder does; None where the cluster failed."""
        try:
            result = operation()
        except EXPECTED as exc:
            self.failed[f"{what}: {type(exc).__name__}"] += 1
            return None
        self.done[what] += 1
        return result

    def insisted(self, what: str, operation: Callable[[], Any]) -> None:
        """Do it until it works, as an operator does who deletes what is in error.

        A request that hung may be carried out in the middle of it, and switch on what has just been
        switched off to be deleted: that is told as busy.
        """
        for _attempt in range(50):
            with suppress(*EXPECTED, provisioning.Busy):
                operation()
                self.done[what] += 1
                return
        raise AssertionError(f"{what} never works")


class Worker:
    """One user's life: volumes come, are used, copied, and go."""

    def __init__(self, soak: Soak, number: int) -> None:
        self.soak = soak
        self.connector = {
            "initiator": f"iqn.1994-05.com.redhat:host{number % 8}",
            "host": f"host{number % 8}",
            "multipath": False,
        }

    def run(self) -> None:
        try:
            while self.soak.goes_on:
                self.one_life()
        except Exception:
            self.soak.wrong.append(traceback.format_exc())

    def one_life(self) -> None:
        soak, tenant = self.soak, self.soak.tenant

        def delete(volume_id: str) -> None:
            provisioning.delete(tenant, volume_id, lambda: None)

        first, copy, clone, snapshot = (str(uuid.uuid4()) for _ in range(4))
        try:
            made = soak.tried("create", lambda: provisioning.create(tenant, wanted(first)))
            if made is None:
                return
            self.attach(first)
            taken = soak.tried("snapshot", lambda: snapshot_taken(tenant, first, snapshot))
            if taken:
                self.copied(
                    "copy of a snapshot",
                    lambda: provisioning.copy_snapshot(tenant, wanted(copy), first, snapshot),
                )
            self.copied("clone", lambda: provisioning.copy_volume(tenant, wanted(clone), first))
            soak.tried("extend", lambda: provisioning.extend(tenant, first, 3, None))
            soak.tried(
                "detach",
                lambda: host_access.detach(tenant, first, str(self.connector["initiator"])),
            )
        finally:
            for one in (copy, clone):
                soak.insisted("delete", lambda one=one: delete(one))  # type: ignore[misc]
            soak.insisted(
                "delete a snapshot",
                lambda: provisioning.delete_snapshot(tenant, first, snapshot, lambda: None),
            )
            soak.insisted("delete", lambda: delete(first))

    def attach(self, volume_id: str) -> None:
        found = self.soak.tried(
            "attach",
            lambda: host_access.attach(self.soak.tenant, volume_id, self.connector, chap=None),
        )
        assert found is None or found["data"]["target_iqn"]

    def copied(self, what: str, operation: Callable[[], Any]) -> None:
        made = self.soak.tried(what, operation)
        assert made is None or made.volume.size_gib in (1, 2)


def snapshot_taken(tenant: Tenant, volume_id: str, snapshot_id: str) -> bool:
    provisioning.take_snapshot(tenant, volume_id, snapshot_id)
    return True


def wanted(volume_id: str) -> VolumeRequest:
    return VolumeRequest(volume_id, 2 if volume_id[0] < "8" else 1, POLICIES)


def strike(emulator: Emulator) -> list[Any]:
    """Let each kind of fault strike its share of the requests."""
    rates = dict.fromkeys(
        (
            "answer",
            "busy",
            "drop",
            "drop_applied",
            "empty",
            "expired_token",
            "html",
            "slow",
            "wrong_body",
        ),
        RATE,
    )
    # A creation that is carried out long after everybody has given it up, and deleted what it was
    # for, leaves something behind whatever a client does: POSTs do not hang.
    return [
        emulator.faults.random(rates, seed=SEED, slow_seconds=0.1),
        *(
            emulator.faults.random({"hang": RATE}, seed=SEED, method=method, hang_seconds=4.0)
            for method in ("GET", "PUT", "DELETE")
        ),
    ]


def test_nothing_is_left_of_what_many_threads_did_on_a_flaky_cluster(
    emulator: Emulator, connect: Callable[..., Cluster]
) -> None:
    cluster = connect(emulator, busy_timeout=4.0, busy_interval=0.05, read_timeout=3.0)
    tenant = cluster.tenant(TENANT)
    tenant.ensure()
    faults = strike(emulator)
    soak = Soak(tenant, time.monotonic() + SECONDS)
    threads = [
        threading.Thread(target=Worker(soak, number).run, name=f"soak-{number}", daemon=True)
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.1, soak.deadline + EXTRA + PATIENCE - time.monotonic()))
    stuck = [thread.name for thread in threads if thread.is_alive()]
    for fault in faults:
        fault.end()
    story = f"seed {SEED}; done {dict(soak.done)}; failed {dict(soak.failed)}"
    assert not stuck, story
    assert not soak.wrong, f"{story}\n{soak.wrong[0]}"
    assert [ai.name for ai in emulator.cluster.app_instances.values()] == [], story
    assert tenant.app_instances() == []
    assert all(soak.done[what] for what in MUST_WORK), story
    assert sum(sum(fault.hits.values()) for fault in faults) > 0
