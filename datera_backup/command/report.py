# SPDX-License-Identifier: Apache-2.0
"""What was found on a device, for people and for machines."""

from __future__ import annotations

from typing import Any

from prettytable import PrettyTable

from backup_dispatch.command.units import in_units
from datera_backup.command.inspection import InspectedBackup, Inspection, when
from datera_backup.container.format.superblock import Superblock
from datera_backup.container.slots import Slot


def verdict(found: Inspection) -> str:
    """The verdict in a word, as ``backup-dispatch verify`` has them; what is proven stands."""
    if found.damage:
        return "DAMAGED"
    return "not known" if found.unknown else "sound"


def as_json(found: Inspection) -> dict[str, Any]:
    """Return it as JSON types; sizes are bytes."""
    return {
        "container": str(found.id),
        "device": found.device,
        "device_size": found.size,
        "format_version": found.version,
        "used": found.tail,
        "superblocks": [_slot(slot.block) for slot in found.slots],
        "backups": [_json(backup) for backup in found.backups],
        "result": verdict(found),
        "damage": found.damage,
        "not_known": found.unknown,
    }


def _slot(block: Superblock | None) -> dict[str, Any] | None:
    if block is None:
        return None
    return {
        "generation": block.generation,
        "written": when(block.written),
        "backups": len(block.entries),
    }


def _json(backup: InspectedBackup) -> dict[str, Any]:
    entry, commit = backup.entry, backup.commit
    told: dict[str, Any] = {
        "backup": str(entry.backup_id),
        "state": entry.state.name.lower(),
        "begun": when(entry.started),
        "changed": when(entry.changed),
        "start": entry.start,
        "end": entry.end or None,
    }
    if commit is not None:
        statistics, geometry = commit.statistics, commit.geometry
        told |= {
            "parent": str(commit.parent_id) if commit.parent_id else None,
            "volume": commit.volume_id,
            "volume_size": commit.source_size,
            "needs": [str(container) for container in commit.containers],
            "block_size": geometry.block_size,
            "chunk_size": geometry.chunk_size,
            "digest": geometry.digest.name.lower(),
            "chunks": backup.chunks,
            "manifests": backup.manifests,
            "inherited_manifests": statistics.inherited_manifests,
            "segments": statistics.segments,
            "zero_blocks": statistics.zero_blocks,
            "new_blocks": statistics.new_blocks,
            "inherited_blocks": statistics.inherited_blocks,
            "new_bytes": statistics.new_bytes,
            "stored_bytes": statistics.stored_bytes,
            "metadata_bytes": statistics.metadata_bytes,
            "codecs": dict(backup.codecs),
        }
    return told | {"note": backup.note or None, "damage": list(backup.damage)}


def as_text(found: Inspection) -> str:
    """Return it for a terminal."""
    lines = [
        f"Container {found.id}, version {found.version} of the format",
        f"  on {found.device}: {in_units(found.size)}, of which {in_units(found.tail)} are used",
        *(f"  superblock {number}: {_in_words(slot)}" for number, slot in enumerate(found.slots)),
        "",
        _table(found) if found.backups else "It holds no backup.",
    ]
    lines += [f"{b.entry.backup_id}: {b.note}" for b in found.backups if b.note]
    others = sorted(
        {
            str(container)
            for backup in found.backups
            if backup.commit is not None
            for container in backup.commit.containers
            if container != found.id
        }
    )
    if others:
        lines.append("Some of their blocks lie in other containers:")
        lines += [f"  {other}" for other in others]
    if found.damage:
        lines += ["", "DAMAGED:", *(f"  {line}" for line in found.damage)]
    if found.unknown:
        lines += ["", "NOT KNOWN:", *(f"  {line}" for line in found.unknown)]
    return "\n".join(lines)


def _in_words(slot: Slot) -> str:
    block = slot.block
    if block is None:
        return slot.finding.value.upper() if slot.finding is not None else "NOT WHOLE"
    count = len(block.entries)
    backups = "1 backup" if count == 1 else f"{count} backups"
    return f"generation {block.generation}, written {when(block.written)}, {backups}"


def _table(found: Inspection) -> str:
    table = PrettyTable(
        [
            "Backup",
            "State",
            "Begun (UTC)",
            "Kind",
            "Volume",
            "Chunks",
            "Zero",
            "New",
            "Inherited",
            "Stored",
            "As",
        ]
    )
    table.align = "l"
    for name in ("Volume", "Chunks", "Zero", "New", "Inherited", "Stored"):
        table.align[name] = "r"
    for backup in found.backups:
        table.add_row(_row(backup))
    return str(table.get_string())


def _row(backup: InspectedBackup) -> list[str]:
    entry, commit = backup.entry, backup.commit
    state = entry.state.name.lower()
    if backup.damage or backup.unknown:
        state = "DAMAGED" if backup.damage else "NOT KNOWN"
    row = [str(entry.backup_id), state, entry.started.strftime("%Y-%m-%d %H:%M")]
    if commit is None:
        return row + [""] * 8
    statistics, size = commit.statistics, commit.geometry.block_size
    ratio = statistics.new_bytes / statistics.stored_bytes if statistics.stored_bytes else 0
    return [
        *row,
        f"on {str(commit.parent_id)[:8]}…" if commit.parent_id else "full",
        in_units(commit.source_size),
        _chunks(backup, statistics.inherited_manifests),
        in_units(statistics.zero_blocks * size),
        in_units(statistics.new_bytes),
        in_units(statistics.inherited_blocks * size),
        in_units(statistics.stored_bytes) + (f" (1/{ratio:.1f})" if ratio else ""),
        ", ".join(f"{count} {codec}" for codec, count in backup.codecs.most_common()),
    ]


def _chunks(backup: InspectedBackup, inherited: int) -> str:
    empty = backup.chunks - backup.manifests
    kinds = [(empty, "zero"), (inherited, "inherited")]
    told = ", ".join(f"{count} {kind}" for count, kind in kinds if count)
    return f"{backup.chunks} ({told})" if told else str(backup.chunks)
