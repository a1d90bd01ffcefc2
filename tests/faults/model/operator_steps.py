# SPDX-License-Identifier: Apache-2.0
"""Steps that the operator's commands do: verify, salvage, copy, prune."""

from __future__ import annotations

from dataclasses import replace

from tests.faults.model.cloud import BACKENDS
from tests.faults.model.expected import VERIFYING, Backup, Harm, State, Volume
from tests.faults.model.walk import Walk
from tests.fixtures.retention_model import Kept, Rules, left_after

SOUND, DAMAGED, NOT_KNOWN = "sound", "DAMAGED", "not known"
CODES = {SOUND: 0, DAMAGED: 1, NOT_KNOWN: 3}


def verify(walk: Walk, backup: Backup) -> None:
    """The verdict is true, or the command says that it does not know."""
    if backup.state is not State.AVAILABLE:
        return
    ended = walk.cloud.run("verify", backup.id, "-f", "json")
    told = ended.json["result"]
    assert ended.code == CODES[told]
    if walk.may_fail(backup):
        # A service that was started during an outage is not asked.
        possible = {NOT_KNOWN, *(() if backup.backend in walk.away else _verdicts(walk, backup))}
    else:
        possible = _verdicts(walk, backup)
    assert told in possible, ended.json
    walk.done[f"verdicts {told}"] += 1


def _verdicts(walk: Walk, backup: Backup) -> set[str]:
    return {
        Harm.NONE: {SOUND},
        Harm.CERTAIN: {DAMAGED},
        Harm.POSSIBLE: {SOUND, DAMAGED},
    }[walk.expected.harm(backup)]


def salvage(walk: Walk, backup: Backup) -> None:
    """Damage costs what lies in it: all the rest is written."""
    if backup.backend != VERIFYING or backup.state is not State.AVAILABLE:
        return
    output = walk.cloud.directory / "salvaged"
    ended = walk.cloud.run("salvage", backup.id, str(output), "-f", "json")
    harm = walk.expected.harm(backup)
    if walk.may_fail(backup) and ended.code not in (0, 1):
        assert not output.exists()
        return
    if harm is Harm.NONE:
        assert ended.code == 0, ended.err
    if output.exists():
        found, wanted = output.read_bytes(), walk.expected.without_lost_blocks(backup)
        if ended.code == 0:
            assert harm is not Harm.CERTAIN
            assert found == backup.content
        elif not {backup.container, *backup.places} & walk.expected.shaken:
            assert found == wanted
        output.unlink()
        output.with_name("salvaged.map").unlink()
        walk.done["salvages"] += 1


def copy(walk: Walk, backup: Backup, target: str, *, incremental: bool) -> None:
    """A copy holds the same, and belongs to the same project; or there is none.

    :param incremental: it may build on the copy before it.
    """
    if backup.state is not State.AVAILABLE or backup.backend == target:
        return
    before = set(walk.cloud.records())
    how = ("--incremental",) if incremental else ()
    ended = walk.cloud.run("copy", backup.id, "--to", target, *how, "-f", "json")
    made = set(walk.cloud.records()) - before
    if not made:
        there = any(
            one.copy_of == backup.id and one.backend == target
            for one in walk.expected.backups.values()
        )
        excused = (
            walk.may_fail(backup)
            or walk.out_of_reach(target)
            or walk.expected.harm(backup) is not Harm.NONE
        )
        assert (ended.code == 0 and there) or (ended.code != 0 and excused), ended.err
        walk.done["copies refused"] += 1
        return
    assert ended.code == 0, ended.err
    if backup.backend == VERIFYING or backup.id in walk.expected.torn:
        assert walk.expected.harm(backup) is not Harm.CERTAIN
    (copied,) = made
    record = walk.cloud.records()[copied]
    parent = record.parent_id or None
    if parent is not None:
        assert incremental
        assert parent in {one.id for one in walk.expected.available(backup.volume, target)}
    new = replace(
        backup,
        id=copied,
        backend=target,
        container=record.container,
        parent=parent,
        copy_of=backup.id,
        unowned=False,
        pruned=False,
    )
    walk.expected.add(new)
    walk.done["copies"] += 1
    if walk.expected.harm(backup) is Harm.CERTAIN:
        # What was damaged is an ancestor's, and nothing of it may be needed: the bytes tell.
        walk.restore(new)


def prune(walk: Walk, volume: Volume, last: int) -> None:
    """What goes is what the rule says, and what is left restores as before."""
    before = {one.id: one for one in walk.expected.backups.values() if one.volume == volume.id}
    hosts = {one: record.host for one, record in walk.cloud.records().items()}
    unsure = bool(walk.away or walk.down) or any(
        # What is in a folder is deleted by its own host alone.
        (one.backend == "posix" and not walk.cloud.is_up(hosts[one.id]))
        or walk.may_fail(one)
        or one.unowned
        or one.pruned
        or walk.expected.harm(one) is Harm.POSSIBLE
        for one in before.values()
    )
    wanted = left_after(
        {
            one.id: Kept(
                id=one.id,
                moment=one.moment,
                parent=one.parent,
                group=one.backend,
                alone=one.backend == VERIFYING,
                good=one.state is State.AVAILABLE,
            )
            for one in before.values()
        },
        lambda _group: Rules(last=last),
    )
    ended = walk.cloud.run("prune", "--keep-last", str(last), "--volume", volume.id)
    if not before:
        assert ended.code == 2
        return
    records = walk.cloud.records()
    gone = set(before) - set(records)
    if unsure:
        again = {one.id for one in before.values() if one.pruned}
        assert gone <= (set(before) - set(wanted)) | again, ended.err
    else:
        assert gone == set(before) - set(wanted), ended.err + ended.out
        assert ended.code in (0, 1)
    for one in gone:
        walk.expected.remove(one)
    for one in before.keys() - gone:
        record, backup = records[one], walk.expected.backups[one]
        if record.status == "error" and backup.state is State.AVAILABLE:
            assert unsure, record.fail_reason
            assert one not in wanted
            backup.state = State.FAILED
            backup.pruned = True
    walk.done["backups pruned"] += len(gone)


def show_all(walk: Walk) -> None:
    """The list has all of them, whatever is away, and names the backend of each."""
    ended = walk.cloud.run("list", "--all", "-f", "json")
    assert ended.code == 0, ended.err
    assert {row["Backend"] for row in ended.json} <= {*BACKENDS, "unknown"}
