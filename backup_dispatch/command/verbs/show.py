# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch show``: whose a backup is, how that is known, and what belongs to it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from cinder import objects
from cliff.show import ShowOne
from oslo_utils import timeutils

from backup_dispatch import records
from backup_dispatch.backends.configured import Backend
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.columns import Lines, Minute, Size
from backup_dispatch.command.outcome import NOT_KNOWN
from backup_dispatch.command.under_way import is_under_way, waits
from backup_dispatch.drivers.custody import stored_size
from backup_dispatch.errors import DispatchError, OwnerUnresolved, reason_of
from backup_dispatch.jobs.remembered import past_in
from backup_dispatch.lineage import chain_of
from backup_dispatch.masking import masked
from backup_dispatch.ownership import NeverWritten, hint_of
from backup_dispatch.rules import PROPERTY

_MINUTE = "%Y-%m-%d %H:%M UTC"

REFUSED = "by its record: it was refused, no backend has anything of it"


class Show(CloudCommand, ShowOne):
    """Show the backend of a backup, its chain, and its stored size.

    Where the record names no backend, all are asked; nothing is saved.
    Exit 3 if the backend, an ancestor or the size cannot be determined.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("backup", metavar="BACKUP", help="its ID, or its name if unique")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Read the record, and ask who must be asked."""
        backup = self.cloud.backup(parsed_args.backup)
        owner, known = self._owner(backup)
        shown = {
            "id": backup.id,
            "name": backup.display_name,
            "status": backup.status,
            "fail_reason": backup.fail_reason,
            "waits": waits(self.cloud.context, backup, owner.name if owner else None),
            "created": Minute(backup.created_at),
            "volume": backup.volume_id,
            "volume_gb": backup.size,
            "backend": owner.name if owner else None,
            "known": known,
            "record_says": backup.service,
            "lineage": self._lineage(backup, owner),
            "children": Lines([child.id for child in self._children(backup)]),
            "container": backup.container,
            "stored": Size(self._stored(backup, owner)),
            "verified": _verified(backup),
        }
        if parsed_args.formatter == "table" and not parsed_args.columns:
            # What is empty tells a reader nothing.
            shown = {name: value for name, value in shown.items() if str(value or "")}
        return self.dict2columns(shown)

    def _owner(self, backup: Any) -> tuple[Backend | None, str]:
        if backup.service == "":
            return None, REFUSED
        try:
            owner = self.cloud.owner(backup)
        except NeverWritten as certain:
            return None, masked(certain.full_text)
        except OwnerUnresolved as unresolved:
            self.exit_code = NOT_KNOWN
            return None, masked(unresolved.full_text)
        if not records.is_unresolved(backup.service):
            return owner, "by its record"
        hint = " and its property " + PROPERTY if hint_of(backup) == owner.name else ""
        return owner, f"by the backend's own word{hint}; not written down yet"

    def _lineage(self, backup: Any, owner: Backend | None) -> Lines:
        """The full backup first; a table names their backend where it is another."""
        texts, values = [], []
        chain = chain_of(self.cloud.context, backup)
        if chain.broken:
            self.exit_code = NOT_KNOWN
            self.say(f"What backup {backup.id} builds on is not known: {chain.broken}.")
            parent = chain.backups[-1].parent_id
            kind = "in a circle" if chain.circular else "no record"
            texts.append(f"{parent}  {kind.upper()}")
            values.append({"id": parent, "kind": kind, "backend": None})
        for one in reversed(chain.backups):
            kind = "incremental" if one.parent_id else "full"
            holder = self.cloud.owner_by(one.service)
            backend = holder.name if holder else None
            elsewhere = f", {backend or '?'}" if owner and backend != owner.name else ""
            texts.append(f"{one.id}  {kind}{elsewhere}")
            values.append({"id": one.id, "kind": kind, "backend": backend})
        return Lines(texts, values)

    def _children(self, backup: Any) -> Iterable[Any]:
        filters = {"parent_id": backup.id}
        children: Iterable[Any] = objects.BackupList.get_all(self.cloud.context, filters=filters)
        return children

    def _stored(self, backup: Any, owner: Backend | None) -> int | None:
        # Nothing is settled while it is under way, and a backend that hangs would hang this too.
        if owner is None or is_under_way(backup):
            return None
        try:
            return stored_size(self.cloud.driver(owner, backup), backup)
        except DispatchError as error:
            self.say(f"What is stored is not known: {error.full_text}")
        except Exception as error:
            self.say(f"What is stored on backend {owner.name} is not known: {reason_of(error)}")
        self.exit_code = NOT_KNOWN
        return None


def _verified(backup: Any) -> str | None:
    """What ``verify --all`` has found, and whether it has tried again since."""
    past = past_in(backup.metadata, timeutils.utcnow())
    told = [f"{past.last.verdict.value} {past.last.since:{_MINUTE}}"] if past.last else []
    if past.tried:
        told.append(f"tried without a verdict {past.tried:{_MINUTE}}")
    return ", ".join(told) or None
