# SPDX-License-Identifier: Apache-2.0
"""The process of ``backup-dispatch``: what must be so before Cinder is imported."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from backup_dispatch.search_path import clean_path


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    :param argv: the arguments; those of the process if None.
    :returns: the process's exit code, see :mod:`backup_dispatch.command.outcome`.
    """
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        sys.stderr.write("backup-dispatch: cancelled\n")
        return 130


def _run(argv: list[str]) -> int:
    _prepare()
    try:
        from cinder import objects
    except ImportError as missing:
        sys.stderr.write(f"backup-dispatch: Cinder cannot be imported here: {missing}\n")
        return 2
    # Most of Cinder, and so of us, can be imported only after its objects are registered.
    objects.register_all()
    from backup_dispatch.command.app import CommandApp

    # oslo.log lets everything go to stderr until it is configured.
    logging.getLogger().handlers.clear()
    return CommandApp().run(argv)


def _prepare() -> None:
    # Some of Cinder's drivers hand calls to eventlet's native threads. This process has no green
    # threads that could wait for them; with none of those, such calls are made where they are.
    os.environ["EVENTLET_THREADPOOL_SIZE"] = "0"
    clean_path()
    warnings.simplefilter("ignore")
    # End as after Ctrl-C: whatever is attached meanwhile is detached.
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
