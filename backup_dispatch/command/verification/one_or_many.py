# SPDX-License-Identifier: Apache-2.0
"""A command that shows one thing, or with an option lists many."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from cliff.lister import Lister
from cliff.show import ShowOne
from stevedore import ExtensionManager

from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.outcome import misused

_LISTS = "cliff.formatter.list"


class OneOrMany(CloudCommand, ShowOne, Lister):
    """To be derived from; ``take_action`` sets :attr:`shows_many`.

    :ivar shows_many: whether the data are rows.
    """

    shows_many = False

    @property
    def need_sort_by_cliff(self) -> bool:
        """Rows come in an order that means something, until ``--sort-column`` asks for another."""
        return True

    def _load_formatter_plugins(self) -> Any:
        plugins = super()._load_formatter_plugins()
        known = plugins.names()
        lists: Any = ExtensionManager(_LISTS, invoke_on_load=True)
        self._only_of_one = set(known) - set(lists.names())
        self._only_of_many = set(lists.names()) - set(known)
        plugins.extensions += [one for one in lists if one.name not in known]
        return plugins

    def require_format(self, parsed_args: argparse.Namespace, *, many: bool) -> None:
        """Require that the output can have the format that was asked for.

        :raises CommandEnded: it cannot.
        """
        self.shows_many = many
        if parsed_args.formatter in (self._only_of_one if many else self._only_of_many):
            what = "a list" if many else "one backup"
            misused(f"-f {parsed_args.formatter} cannot show {what}.")

    def produce_output(
        self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any
    ) -> int:
        """Show one, or list many."""
        kind: Any = Lister if self.shows_many else ShowOne
        shown: int = kind.produce_output(self, parsed_args, column_names, data)
        return shown

    def _is_list(self) -> bool:
        return self.shows_many

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """To be overridden."""
        raise NotImplementedError
