# SPDX-License-Identifier: Apache-2.0
"""The process of ``backup-dispatch``: what must be so before Cinder is imported."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from backup_dispatch.search_path import clean_path

CLOSED = 141
"""The reader of the output has closed it, as ``head`` does; what shells say of a SIGPIPE."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    :param argv: the arguments; those of the process if None.
    :returns: the process's exit code, see :mod:`backup_dispatch.command.outcome`.
    """
    if sys.stdout is sys.__stdout__:
        _keep_stdout()
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        sys.stderr.write("backup-dispatch: cancelled\n")
        code = 130
    except SystemExit as ended:
        # argparse ends like this, after a help too.
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return _flushed(code)


def _keep_stdout() -> None:
    """Let only Python write to the output: Ceph's library prints to descriptor 1 as it fails."""
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(kept, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)


def _run(argv: list[str]) -> int:
    _prepare()
    # An import makes hardly any garbage, and looking for it is a sixth of its time.
    gc.disable()
    try:
        from cinder import objects
    except ImportError as missing:
        sys.stderr.write(f"backup-dispatch: Cinder cannot be imported here: {missing}\n")
        return 2
    # Most of Cinder, and so of us, can be imported only after its objects are registered.
    objects.register_all()
    from backup_dispatch.command.app import CommandApp

    gc.freeze()
    gc.enable()
    # oslo.log lets everything go to stderr until it is configured.
    logging.getLogger().handlers.clear()
    return CommandApp().run(argv)


def _flushed(code: int) -> int:
    """The exit code, once all output is out: Python would tell of a failure after its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            # What is left can go nowhere, and Python must not try it once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if isinstance(error, BrokenPipeError):
                code = CLOSED
            else:
                code = 1
                sys.stderr.write(f"backup-dispatch: the output cannot be written: {error}\n")
    return code


def _prepare() -> None:
    # Some of Cinder's drivers hand calls to eventlet's native threads. This process has no green
    # threads that could wait for them; with none of those, such calls are made where they are.
    os.environ["EVENTLET_THREADPOOL_SIZE"] = "0"
    clean_path()
    warnings.simplefilter("ignore")
    sys.unraisablehook = silent_about_green_threads(sys.unraisablehook)
    # End as after Ctrl-C: whatever is attached meanwhile is detached.
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def silent_about_green_threads(told: Callable[[Any], object]) -> Callable[[Any], object]:
    """A hook for what cannot be raised, that tells all but the end of a green thread.

    Before Cinder 29 its drivers leave some, in the threads where backends are asked. They end with
    the process, in another thread than their own, and Python would tell a user of that.
    """

    def hook(unraisable: Any) -> None:
        if type(unraisable.exc_value).__module__.split(".")[0] != "greenlet":
            told(unraisable)

    return hook
