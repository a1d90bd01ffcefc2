# SPDX-License-Identifier: Apache-2.0
"""What the driver is asked to do with one volume, one operation at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cinder import exception

from tests.faults.volumes.stage import NOW, THEN, Scene, Stage, connector


def create(stage: Stage) -> Scene:
    volume = stage.unmade()
    return Scene(lambda: stage.driver.create_volume(volume), [volume])


def clone(stage: Stage) -> Scene:
    source, volume = stage.volume(), stage.unmade()
    return Scene(
        lambda: stage.driver.create_cloned_volume(volume, source),
        [volume, source],
        keeps={source.id: (THEN,)},
        makes={volume.id: THEN},
    )


def copy_of_a_snapshot(stage: Stage) -> Scene:
    source, volume = stage.volume(), stage.unmade()
    snapshot = stage.array.snapshot(source)
    stage.write(source, NOW)
    return Scene(
        lambda: stage.driver.create_volume_from_snapshot(volume, snapshot),
        [volume, source],
        [snapshot],
        keeps={source.id: (NOW,)},
        makes={volume.id: THEN},
    )


def snapshot(stage: Stage) -> Scene:
    source = stage.volume()
    taken = stage.unmade_snapshot(source)
    act = lambda: stage.driver.create_snapshot(taken)  # noqa: E731
    return Scene(act, [source], [taken], keeps={source.id: (THEN,)})


def delete_a_snapshot(stage: Stage) -> Scene:
    source = stage.volume()
    taken = stage.array.snapshot(source)
    act = lambda: stage.driver.delete_snapshot(taken)  # noqa: E731
    return Scene(act, [source], [taken], keeps={source.id: (THEN,)})


def delete(stage: Stage) -> Scene:
    volume = stage.volume()
    return Scene(lambda: stage.driver.delete_volume(volume), [volume])


def delete_open(stage: Stage) -> Scene:
    volume = stage.volume(volume_type=stage.open_silver)
    return Scene(lambda: stage.driver.delete_volume(volume), [volume])


def attach(stage: Stage) -> Scene:
    volume = stage.volume()
    return _kept(volume, lambda: stage.driver.initialize_connection(volume, connector("one")))


def attach_a_second_host(stage: Stage) -> Scene:
    volume = stage.attached("one")
    return _kept(volume, lambda: stage.driver.initialize_connection(volume, connector("two")))


def detach(stage: Stage) -> Scene:
    volume = stage.attached("one")
    act = lambda: stage.driver.terminate_connection(volume, connector("one"))  # noqa: E731
    return _kept(volume, act, resumes=True)


def detach_one_of_two(stage: Stage) -> Scene:
    volume = stage.attached("one", "two")
    act = lambda: stage.driver.terminate_connection(volume, connector("one"))  # noqa: E731
    return _kept(volume, act, resumes=True)


def detach_all(stage: Stage) -> Scene:
    volume = stage.attached("one", "two")
    act = lambda: stage.driver.terminate_connection(volume, None)  # noqa: E731
    return _kept(volume, act, resumes=True)


def extend(stage: Stage) -> Scene:
    return _extended(stage, stage.volume())


def extend_open(stage: Stage) -> Scene:
    return _extended(stage, stage.volume(volume_type=stage.open_silver))


def _extended(stage: Stage, volume: Any) -> Scene:
    # Refused online it is extended offline, and stays so: both are right without initiators.
    act = lambda: stage.driver.extend_volume(volume, 4)  # noqa: E731
    # A size that was set, and nothing could tell, cannot be taken back as the limits are.
    return Scene(act, [volume], keeps={volume.id: (THEN,)}, switches=True, may_have_grown=True)


def retype(stage: Stage) -> Scene:
    return _retyped(stage, stage.volume(), stage.gold)


def retype_open(stage: Stage) -> Scene:
    return _retyped(stage, stage.volume(volume_type=stage.open_silver), stage.open_gold)


def _retyped(stage: Stage, volume: Any, wanted: Any) -> Scene:
    def act() -> None:
        if not stage.driver.retype(stage.context, volume, {"id": wanted.id}, {}, {}):
            raise exception.CinderException("Cinder would migrate it")

    return Scene(act, [volume], keeps={volume.id: (THEN,)}, switches=True)


def manage(stage: Stage) -> Scene:
    name = f"legacy{time.time_ns()}"
    limits = {"total_iops_max": 7}
    inside = {"name": "data", "size": 1.5, "replica_count": 2, "performance_policy": limits}
    storage = {"name": "disks", "volumes": [inside]}
    stage.array.ask("/app_instances", name=name, storage_instances=[storage])
    return _managed(stage, name, stage.silver)


def manage_open(stage: Stage) -> Scene:
    """One that was open to all, of a type that is not."""
    given_up = stage.volume(volume_type=stage.open_silver)
    stage.driver.unmanage(given_up)
    return _managed(stage, f"UNMANAGED-{given_up.id}", stage.gold)


def _managed(stage: Stage, name: str, wanted: Any) -> Scene:
    volume = stage.array.record(0, wanted)
    act = lambda: stage.driver.manage_existing(volume, {"source-name": name})  # noqa: E731

    def again() -> None:
        """If it was not given its name back, Cinder's next step is to unmanage it."""
        stage.driver.unmanage(volume)
        there = {one.name for one in stage.array.emulator.cluster.app_instances.values()}
        found = name if name in there else f"UNMANAGED-{volume.id}"
        stage.driver.manage_existing(volume, {"source-name": found})

    return Scene(act, [volume], others=(name,), ends=False, switches=True, grows=True, again=again)


def manage_a_snapshot(stage: Stage) -> Scene:
    volume = stage.volume()
    # Cinder forgot it; its record is another one.
    lost = stage.array.snapshot(volume)
    (known,) = stage.array.stored(volume)[2].snapshots
    lost.destroy()
    taken = stage.unmade_snapshot(volume)

    def act() -> None:
        update = stage.driver.manage_existing_snapshot(taken, {"source-name": known})
        taken.update(update)
        taken.save()

    scene = _kept(volume, act)
    scene.snapshots, scene.others = [taken], (lost.id,)
    return scene


def unmanage(stage: Stage) -> Scene:
    volume = stage.volume()
    act = lambda: stage.driver.unmanage(volume)  # noqa: E731
    return Scene(act, [volume], keeps={volume.id: (THEN,)}, ends=False)


def revert(stage: Stage) -> Scene:
    return _reverted(stage, stage.volume())


def revert_open(stage: Stage) -> Scene:
    return _reverted(stage, stage.volume(volume_type=stage.open_silver))


def _reverted(stage: Stage, volume: Any) -> Scene:
    taken = stage.array.snapshot(volume)
    stage.write(volume, NOW)
    act = lambda: stage.driver.revert_to_snapshot(stage.context, volume, taken)  # noqa: E731
    keeps: dict[str, tuple[bytes, ...]] = {volume.id: (THEN, NOW)}
    return Scene(act, [volume], [taken], keeps=keeps, makes={volume.id: THEN})


def migrate(stage: Stage) -> Scene:
    """Cinder has copied the volume here from another cluster."""
    original, copy = stage.array.record(1, stage.silver), stage.volume()
    return _migrated(stage, original, copy)


def migrate_on_the_cluster(stage: Stage) -> Scene:
    """Cinder has copied the volume, and both are here."""
    original, copy = stage.volume(NOW), stage.volume()
    scene = _migrated(stage, original, copy)
    scene.keeps = {original.id: (NOW,), copy.id: (THEN,)}
    return scene


def _migrated(stage: Stage, original: Any, copy: Any) -> Scene:
    scene = Scene(lambda: None, [original, copy])

    def act() -> None:
        update = stage.driver.update_migrated_volume(None, original, copy, "available")
        # What Cinder does with the two records, before it deletes the original by the second.
        original.update({"_name_id": update["_name_id"]})
        original.save()
        copy.update({"_name_id": original.id})
        copy.save()
        scene.makes = {original.name_id: THEN}

    scene.act = act
    return scene


def attach_a_snapshot(stage: Stage) -> Scene:
    volume = stage.volume()
    taken = stage.array.snapshot(volume)
    taken.use_quota = False  # as Cinder's own are, taken for the time of a backup

    def act() -> None:
        stage.driver.create_export_snapshot(stage.context, taken, connector("one"))
        stage.driver.initialize_connection_snapshot(taken, connector("one"))
        stage.driver.terminate_connection_snapshot(taken, connector("one"))
        stage.driver.remove_export_snapshot(stage.context, taken)

    return Scene(act, [volume], [taken], keeps={volume.id: (THEN,)}, resumes=True)


def _kept(volume: Any, act: Callable[[], Any], *, resumes: bool = False) -> Scene:
    return Scene(act, [volume], keeps={volume.id: (THEN,)}, resumes=resumes)


VOLUME_OPERATIONS: tuple[Callable[[Stage], Scene], ...] = (
    create,
    clone,
    copy_of_a_snapshot,
    snapshot,
    delete_a_snapshot,
    delete,
    delete_open,
    attach,
    attach_a_second_host,
    attach_a_snapshot,
    detach,
    detach_one_of_two,
    detach_all,
    extend,
    extend_open,
    retype,
    retype_open,
    manage,
    manage_open,
    manage_a_snapshot,
    unmanage,
    revert,
    revert_open,
    migrate,
    migrate_on_the_cluster,
)
