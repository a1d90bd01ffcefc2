# SPDX-License-Identifier: Apache-2.0
"""Steps that break something: servers go and come, the service restarts, stored bytes change."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.model.cloud import BACKENDS
from tests.faults.model.comparison import (
    compare_doors,
    compare_quotas,
    compare_records,
    compare_stores,
)
from tests.faults.model.expected import VERIFYING, Backup, Harm, State
from tests.faults.model.stores import ObjectStore
from tests.faults.model.walk import Walk


def go_away(walk: Walk, backend: str) -> None:
    """A backend's server stops answering."""
    walk.cloud.stores[backend].go()
    walk.away.add(backend)
    walk.done["outages"] += 1


def come_back(walk: Walk, backend: str) -> None:
    """It answers again; a service that was started meanwhile does not know that yet."""
    walk.cloud.stores[backend].come()
    walk.away.remove(backend)


def restart(walk: Walk) -> None:
    """The service's process ends, and a new one begins."""
    walk.cloud.restart()
    walk.down = set(walk.away)
    walk.cloud.wait_until_checked(set(BACKENDS) - walk.away)
    walk.done["restarts"] += 1


def damage(walk: Walk, backup: Backup, block: int) -> None:
    """Change what is stored of a backup, so that it cannot restore."""
    expected, store = walk.expected, walk.cloud.stores[backup.backend]
    if backup.backend in walk.away or backup.state is not State.AVAILABLE:
        return
    if isinstance(store, ObjectStore):
        if backup.id not in expected.torn:
            mend = store.tear(walk.cloud.records()[backup.id])
            _remember(walk, mend, lambda: expected.torn.add(backup.id))
        return
    place, content = backup.places[block], list(backup.blocks)[block]
    if place is not None and (place, content) not in expected.spoiled:
        mend = walk.cloud.array.spoil(place, content)
        _remember(walk, mend, lambda: expected.spoiled.add((place, content)))


def shake(walk: Walk, backup: Backup, where: float) -> None:
    """Change a sector anywhere in the container of a backup."""
    container = backup.container
    if backup.backend != VERIFYING or VERIFYING in walk.away or not container:
        return
    if backup.state is State.AVAILABLE:
        mend = walk.cloud.array.shake(container, where)
        _remember(walk, mend, lambda: walk.expected.shaken.add(container))


def _remember(walk: Walk, mend: Callable[[], None] | None, note: Callable[[], object]) -> None:
    if mend is not None:
        walk.mends.append(mend)
        note()
        walk.done["damages"] += 1


def mend(walk: Walk) -> None:
    """Everything lies as it did, and all servers are there, for they have some of it."""
    for backend in sorted(walk.away):
        come_back(walk, backend)
    for undo in reversed(walk.mends):
        undo()
    walk.mends.clear()
    for damaged in (walk.expected.spoiled, walk.expected.shaken, walk.expected.torn):
        damaged.clear()


def end(walk: Walk) -> None:
    """All that is sound restores, all can be deleted, and then nothing is left."""
    for backup in list(walk.expected.backups.values()):
        sound = walk.expected.harm(backup) is Harm.NONE
        if backup.state is State.AVAILABLE and sound and not walk.may_fail(backup):
            walk.restore(backup)
    mend(walk)
    restart(walk)
    compare_records(walk.cloud, walk.expected)
    compare_stores(walk.cloud, ())
    for backup in list(reversed(walk.expected.backups.values())):
        _delete_with_children(walk, backup)
    assert not walk.expected.backups
    compare_records(walk.cloud, walk.expected)
    compare_doors(walk.cloud, ())
    compare_quotas(walk.cloud)
    for name, store in walk.cloud.stores.items():
        assert store.names() == set(), f"left on {name}"


def _delete_with_children(walk: Walk, backup: Backup) -> None:
    if backup.id not in walk.expected.backups:
        return
    for child in walk.expected.children(backup.id):
        _delete_with_children(walk, walk.expected.backups[child])
    walk.delete(backup)
    assert backup.id not in walk.expected.backups
