# SPDX-License-Identifier: Apache-2.0
"""The result of examining a backend: what was checked, its state, and the remedy."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from oslo_config import cfg

from backup_dispatch.drivers.interface import Step
from backup_dispatch.errors import one_line, reason_of


class State(IntEnum):
    """The state of something; the larger, the worse. In lower case, the names are the words of the
    driver interface.
    """

    UP = 0
    WARN = 1
    """It works; the operator should read the text."""
    UNKNOWN = 2
    """Whether it works is unknown; the text says why."""
    UNWRITABLE = 3
    """No backup can be created; existing ones may still be restored and deleted."""
    DOWN = 4
    """Nothing works."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    :ivar subject: what that was, as a noun; empty if the check ended before it was known.
    :ivar text: one line that says what is wrong, where, and the remedy; empty if it is up.
    """

    subject: str
    state: State = State.UP
    text: str = ""


def found(step: Step) -> Finding:
    """Convert what a driver reported of one thing.

    :raises KeyError: the state is none of those of :data:`~.interface.Step`.
    """
    subject, word, text = step
    return Finding(subject, State[word.upper()], text)


class Options:
    """A driver's options, and how messages name them.

    :param conf: what the driver reads: Cinder's own configuration, or a section's overlay.
    """

    def __init__(self, conf: Any) -> None:
        self._conf = conf
        self.section = str(getattr(conf, "config_group", None) or "DEFAULT")

    def __getitem__(self, name: str) -> Any:
        return getattr(self._conf, name)

    def where(self, name: str) -> str:
        """The option as a message names it: ``[DEFAULT] backup_posix_path``."""
        return f"[{self.section}] {name}"

    def set_to(self, name: str) -> str:
        """The option with its value: ``[DEFAULT] backup_posix_path = /backups``."""
        return f"{self.where(name)} = {self[name]}"

    @property
    def creates_containers(self) -> bool:
        """Whether Cinder's chunked drivers create a missing container; before 28 they always do."""
        return bool(getattr(self._conf, "backup_create_containers", True))

    def missing(self, *names: str) -> Finding | None:
        """The message if one of these is not set."""
        for name in names:
            if not self[name]:
                return Finding("options", State.DOWN, f"{self.where(name)} is not set. Set it.")
        return None


def names_beside(driver_class: type[Any]) -> dict[str, Any]:
    """The names in the module that defines the class.

    Not through ``sys.modules``: the module copy of a backend with a section is not in it. And not
    through a single method, because any of them may have been replaced from elsewhere.
    """
    for value in vars(driver_class).values():
        names: dict[str, Any] = getattr(value, "__globals__", {})
        if names.get("__name__") == driver_class.__module__:
            return names
    return vars(sys.modules[driver_class.__module__])


def options_of(driver_class: type[Any]) -> Options:
    """The options that one of Cinder's drivers reads: its section, if any, takes precedence."""
    return Options(names_beside(driver_class).get("CONF", cfg.CONF))


def told_by(error: BaseException) -> str:
    """An exception's text without its final period, so that a sentence can continue."""
    return one_line(reason_of(error)).rstrip(". ")
