# SPDX-License-Identifier: Apache-2.0
"""What the process of ``backup-dispatch`` keeps to itself."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

from backup_dispatch.command.main import silent_about_green_threads


def test_only_the_end_of_a_green_thread_is_not_told() -> None:
    told: list[Any] = []
    hook = silent_about_green_threads(told.append)
    green = import_module("greenlet").error("Cannot switch to a different thread")
    hook(SimpleNamespace(exc_value=green))
    assert not told
    other = SimpleNamespace(exc_value=ValueError("a real one"))
    hook(other)
    assert told == [other]
