# SPDX-License-Identifier: Apache-2.0
"""Each request of each operation fails once, in each way that a request can fail.

Afterwards the operation succeeded or raised an error of Cinder's, a success is one, no data is
lost, nothing is there that no record names, and deleting the records leaves nothing.

Each step is walked with one of the API's versions in turn; ``DATERA_WALK=all`` walks it with each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cinder import exception

from datera_emulator import FaultPlan
from datera_volume.connection import Cluster
from tests.functional.datera_volume.versions.conftest import Array
from tests.functional.datera_volume.versions.walking import OPERATIONS, Scene, Stage

pytestmark = pytest.mark.faults

VERSIONS = ("2.1 of 2.2.7", "2.2 of 3.3.1", "2.3 of 3.3.1")
WALK_ALL = os.environ.get("DATERA_WALK") == "all"

Inject = Callable[[FaultPlan, int], Any]


def refused(status: int, name: str) -> Inject:
    body = {"name": name, "http": status, "message": "not now"}
    return lambda faults, k: faults.answer(status, body, nth=k)


def kind(name: str) -> Inject:
    return lambda faults, k: faults.kind(name, nth=k)


def instead(status: int, body: Any) -> Inject:
    """Carried out, and answered otherwise."""
    return lambda faults, k: faults.answer(status, body, nth=k, applied=True)


WAYS: dict[str, Inject] = {
    "cut before": kind("drop"),
    "cut after": kind("drop_applied"),
    "half": kind("half"),
    "400": refused(400, "InvalidRequestError"),
    "403": refused(403, "PermissionDeniedError"),
    "404": refused(404, "NotFoundError"),
    "405": refused(405, "InvalidRouteError"),
    "409": refused(409, "ConflictError"),
    "422": refused(422, "ValidationFailedError"),
    "500": refused(500, "InternalError"),
    "500 after": instead(500, {"message": "broken"}),
    "503": kind("busy"),
    "no JSON": instead(200, "<html>"),
    "empty object": instead(200, {}),
}
NO_SUCCESS = "a success is none"
HALF_DONE = "a failure has left it half done"


class Clock:
    """Time that passes while somebody sleeps, and then at once."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


@pytest.fixture(scope="module")
def stages(arrays: dict[str, Array]) -> Iterator[dict[str, Stage]]:
    """The clusters, each with a driver that waits without any time passing."""
    made = {}
    for name in VERSIONS:
        array, clock = arrays[name], Clock()
        array.driver._cluster = Cluster(
            array.driver.cluster.settings, sleep=clock.sleep, clock=clock.now
        )
        array.driver.check_for_setup_error()
        made[name] = Stage(array)
    yield made
    for stage in made.values():
        stage.driver.cluster.close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_whose_kth_request_fails_harms_nothing(
    stages: dict[str, Stage], operation: str, version: str
) -> None:
    stage = stages[version]
    stage.wipe()
    steps, succeeded = _walked_well(stage, operation)
    found = []
    for number, (way, inject) in enumerate(WAYS.items()):
        for k in range(1, steps + 1):
            if not WALK_ALL and (number + k) % len(VERSIONS) != VERSIONS.index(version):
                continue
            for problem in _walked(stage, operation, inject, k, succeeded):
                found.append(f"{way} at request {k} of {steps}: {problem}")
    assert found == []


def _walked_well(stage: Stage, operation: str) -> tuple[int, list[str]]:
    """Return how many requests the operation takes, and what the cluster holds then."""
    scene = OPERATIONS[operation](stage)
    stage.array.requests()
    scene.act()
    steps = stage.array.requests()
    assert list(_wrong_data(stage, scene, succeeded=True)) == []
    assert list(_unnamed(stage, scene)) == []
    holds = stage.holds(scene)
    stage.wipe()
    return steps, holds


def _walked(
    stage: Stage, operation: str, inject: Inject, k: int, succeeded: list[str]
) -> list[str]:
    """Return what is wrong after the k-th request failed."""
    scene = OPERATIONS[operation](stage)
    before = stage.holds(scene)
    faults = stage.array.emulator.faults
    inject(faults, k)
    problems = []
    error: Exception | None = None
    told: Any = None
    try:
        told = scene.act()
    except exception.CinderException as exc:
        error = exc
    except Exception as exc:  # what Cinder would put down to a bug
        error = exc
        problems.append(f"raised {exc!r}")
    faults.clear()
    holds = stage.holds(scene)
    handed_back = told is False and holds == before  # a retype that is not possible here
    if error is None and holds != succeeded and not handed_back:
        problems.append(NO_SUCCESS)
    if error is not None and not scene.resumes and holds not in (before, succeeded):
        problems.append(HALF_DONE)
    problems += _wrong_data(stage, scene, succeeded=error is None)
    problems += _unnamed(stage, scene)
    if error is not None and scene.ends:
        problems += _left_after_deleting(stage, scene)
    stage.wipe()
    return problems


def _wrong_data(stage: Stage, scene: Scene, *, succeeded: bool) -> Iterator[str]:
    contents = stage.contents()
    for volume, allowed in scene.keeps.items():
        if contents.get(volume) not in allowed:
            yield f"data is lost: {contents.get(volume)!r} instead of one of {allowed}"
    for volume, wanted in scene.makes.items() if succeeded else ():
        if contents.get(volume) != wanted:
            yield f"data is wrong: {contents.get(volume)!r} instead of {wanted!r}"


def _unnamed(stage: Stage, scene: Scene) -> Iterator[str]:
    snapshots = {record.id for record in scene.snapshots}
    for instance in stage.array.emulator.cluster.app_instances.values():
        if not any(name in instance.name for name in scene.named):
            yield f"app instance {instance.name} is left behind"
        for _, volume in instance.volumes():
            for snapshot in volume.snapshots.values():
                if snapshot.uuid not in snapshots:
                    yield f"snapshot {snapshot.uuid} is left behind"


def _left_after_deleting(stage: Stage, scene: Scene) -> Iterator[str]:
    try:
        for record in scene.snapshots:
            stage.driver.delete_snapshot(record)
        for record in scene.volumes:
            stage.driver.delete_volume(record)
    except Exception as exc:
        yield f"its records cannot be deleted: {exc!r}"
    for instance in stage.array.emulator.cluster.app_instances.values():
        yield f"app instance {instance.name} is left after its records were deleted"
