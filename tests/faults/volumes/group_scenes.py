# SPDX-License-Identifier: Apache-2.0
"""What the driver is asked to do with the volumes of a consistent group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cinder import exception

from tests.faults.volumes.scenes import VOLUME_OPERATIONS
from tests.faults.volumes.stage import NOW, THEN, Scene, Stage
from tests.functional.datera_volume.versions.conftest import consistent_group

Told = tuple[dict[str, Any], list[dict[str, Any]]]


def snapshot_a_group(stage: Stage) -> Scene:
    volumes = [stage.volume(), stage.volume(NOW)]
    taken = [stage.unmade_snapshot(volume) for volume in volumes]
    group = consistent_group(stage.array)
    act = lambda: _told(stage.driver.create_group_snapshot(None, group, taken))  # noqa: E731
    return Scene(act, volumes, taken, keeps=_kept(volumes))


def delete_a_groups_snapshot(stage: Stage) -> Scene:
    volumes = [stage.volume(), stage.volume(NOW)]
    taken = [stage.array.snapshot(volume) for volume in volumes]
    group = consistent_group(stage.array)
    act = lambda: _told(stage.driver.delete_group_snapshot(None, group, taken))  # noqa: E731
    return Scene(act, volumes, taken, keeps=_kept(volumes), resumes=True)


def copy_a_group(stage: Stage) -> Scene:
    volumes = [stage.volume(), stage.volume(NOW)]
    copies = [stage.array.record(1, stage.silver, source_volid=one.id) for one in volumes]
    group = consistent_group(stage.array)

    def act() -> None:
        _told(
            stage.driver.create_group_from_src(
                None, group, copies, source_group=group, source_vols=volumes
            )
        )

    return Scene(
        act,
        [*copies, *volumes],
        keeps=_kept(volumes),
        makes={copies[0].id: THEN, copies[1].id: NOW},
    )


def copy_a_groups_snapshot(stage: Stage) -> Scene:
    volumes = [stage.volume(), stage.volume()]
    taken = [stage.array.snapshot(volume) for volume in volumes]
    for volume in volumes:
        stage.write(volume, NOW)
    copies = [stage.array.record(1, stage.silver, snapshot_id=one.id) for one in taken]
    group = consistent_group(stage.array)

    def act() -> None:
        _told(stage.driver.create_group_from_src(None, group, copies, group, taken))

    return Scene(
        act,
        [*copies, *volumes],
        taken,
        keeps={volume.id: (NOW,) for volume in volumes},
        makes={copy.id: THEN for copy in copies},
    )


def delete_a_group(stage: Stage) -> Scene:
    volumes = [stage.volume(), stage.volume(NOW)]
    group = consistent_group(stage.array)
    act = lambda: _told(stage.driver.delete_group(None, group, volumes))  # noqa: E731
    return Scene(act, volumes, resumes=True)


def _kept(volumes: list[Any]) -> dict[str, tuple[bytes, ...]]:
    return {volumes[0].id: (THEN,), volumes[1].id: (NOW,)}


def _told(told: Told) -> None:
    """Fail as an operation of one volume does: Cinder is told in what is returned."""
    group, _each = told
    if group["status"] not in ("available", "deleted"):
        raise exception.VolumeBackendAPIException(data=f"the group is {group['status']}")


OPERATIONS: dict[str, Callable[[Stage], Scene]] = {
    one.__name__: one
    for one in (
        *VOLUME_OPERATIONS,
        snapshot_a_group,
        delete_a_groups_snapshot,
        copy_a_group,
        copy_a_groups_snapshot,
        delete_a_group,
    )
}
