# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch route``: where a backup would go, and by which rule."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from cinder import exception, objects
from cliff.show import ShowOne
from oslo_config import cfg
from oslo_utils import uuidutils

from backup_dispatch import records, routing, rules
from backup_dispatch.backends.configured import Backend
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.outcome import NOT_KNOWN, CommandEnded, misused, refuse
from backup_dispatch.errors import ChoiceRefused, OwnerUnresolved, ParentRefused
from backup_dispatch.ownership import NobodyHolds

CONF = cfg.CONF


class Route(CloudCommand, ShowOne):
    """Say where a backup would go; exit 1 if refused, 3 if not known."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="name of the backup; '' for none")
        parser.add_argument(
            "--property",
            action="append",
            default=[],
            metavar="K=V",
            help="a property of the backup; can be repeated",
        )
        parser.add_argument("--volume-type", metavar="T", help="name or ID of the volume's type")
        parser.add_argument(
            "--parent",
            metavar="ID",
            help="an incremental one, for which Cinder's API picked this backup as parent: the "
            "newest of the volume, on whatever backend it is",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Apply the dispatcher's own rules."""
        properties = dict(_pair(text) for text in parsed_args.property)
        request = rules.Request(
            name=parsed_args.name,
            wanted=properties.get(rules.PROPERTY),
            type_default=self._type_default(parsed_args.volume_type),
        )
        self._unresolved: list[OwnerUnresolved] = []
        picked = self.cloud.backup(parsed_args.parent) if parsed_args.parent else None
        enabled = self.cloud.enabled
        parent = None
        try:
            choice = routing.choose(request, enabled, CONF)
            if picked is not None:
                choice, parent = routing.with_parent(
                    self._imagined(picked),
                    choice,
                    enabled,
                    self._owner,
                    self.cloud.operators_driver,
                )
        except (ChoiceRefused, ParentRefused) as error:
            if self._unresolved:
                why = f"It is not known where it would go: {self._why()}"
                raise CommandEnded(why, NOT_KNOWN) from error
            refuse(f"It would be refused: {error}")
        if self._unresolved:
            self.exit_code = NOT_KNOWN
            self.say(f"It may go elsewhere, or build on another: {self._why()}")
        shown: dict[str, Any] = {
            "name": parsed_args.name,
            "backend": choice.backend,
            "rule": choice.rule.value,
            "because": choice.because,
        }
        if parent is not None:
            shown["parent"] = parent.id
        return self.dict2columns(shown)

    def _owner(self, backup: Any) -> Backend:
        """Whose a backup is; and if that is not known, note that a better parent may be there."""
        try:
            return self.cloud.owner(backup)
        except OwnerUnresolved as unresolved:
            if records.is_unresolved(backup.service) and not isinstance(unresolved, NobodyHolds):
                self._unresolved.append(unresolved)
            raise

    def _why(self) -> str:
        return "; ".join(one.full_text for one in self._unresolved)

    def _type_default(self, volume_type: str | None) -> str | None:
        if not volume_type:
            return None
        try:
            found = objects.VolumeType.get_by_name_or_id(self.cloud.context, volume_type)
        except exception.VolumeTypeNotFoundByName:
            refuse(f"There is no volume type {volume_type}.")
        value: str | None = (found.extra_specs or {}).get(rules.EXTRA_SPEC)
        return value

    def _imagined(self, picked: Any) -> Any:
        """An incremental on the picked parent, which is in no database."""
        return objects.Backup(
            self.cloud.context,
            id=uuidutils.generate_uuid(),
            volume_id=picked.volume_id,
            project_id=picked.project_id,
            host=picked.host,
            snapshot_id=None,
            parent_id=picked.id,
            parent=picked,
        )


def _pair(text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not mark:
        misused(f"--property {text}: write K=V.")
    return key, value
