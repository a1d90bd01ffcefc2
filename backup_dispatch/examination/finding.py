# SPDX-License-Identifier: Apache-2.0
"""What looking at a backend found: what was looked at, how that is, and how to mend it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from oslo_config import cfg

from backup_dispatch.errors import one_line, reason_of


class State(IntEnum):
    """How well something is; the larger, the worse. The names in small letters are the contract's
    words.
    """

    UP = 0
    WARN = 1
    """It works; somebody should read the text."""
    UNKNOWN = 2
    """Whether it works could not be found out; the text says why."""
    UNWRITABLE = 3
    """No backup can be made; what there is may still be restored and deleted."""
    DOWN = 4
    """Nothing works."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    :ivar subject: what that was, as a noun; empty where the look ended before it was known.
    :ivar text: one line that says what is wrong, where, and how to mend it; empty if it is up.
    """

    subject: str
    state: State = State.UP
    text: str = ""


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
        """Whether Cinder's chunked drivers make a missing container; before 28 they always do."""
        return bool(getattr(self._conf, "backup_create_containers", True))

    def missing(self, *names: str) -> Finding | None:
        """What to say if one of these is not set."""
        for name in names:
            if not self[name]:
                return Finding("options", State.DOWN, f"{self.where(name)} is not set. Set it.")
        return None


def names_beside(driver_class: type[Any]) -> dict[str, Any]:
    """The names in the module that defines the class.

    Not by ``sys.modules``: a backend with a section has a copy of the module that is not there. And
    not by any one method, for each may have been replaced from elsewhere.
    """
    for value in vars(driver_class).values():
        names: dict[str, Any] = getattr(value, "__globals__", {})
        if names.get("__name__") == driver_class.__module__:
            return names
    return vars(sys.modules[driver_class.__module__])


def options_of(driver_class: type[Any]) -> Options:
    """The options that one of Cinder's drivers reads: with a section, that one's come first."""
    return Options(names_beside(driver_class).get("CONF", cfg.CONF))


def told_by(error: BaseException) -> str:
    """What an exception says, without the period that a sentence goes on after."""
    return one_line(reason_of(error)).rstrip(". ")
