# SPDX-License-Identifier: Apache-2.0
"""The process of ``backup-dispatch``: what must be done before Cinder is imported."""

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
"""The reader of the output has closed it, as ``head`` does; a shell's exit code for SIGPIPE."""


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
        # argparse exits like this, after printing help too.
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return _flushed(code)


def _keep_stdout() -> None:
    """Let only Python write to the output: Ceph's library prints errors to descriptor 1."""
    kept = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(kept, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)


def _run(argv: list[str]) -> int:
    _prepare()
    # An import creates hardly any garbage, and collecting it is a sixth of its time.
    gc.disable()
    try:
        from cinder import objects
    except ImportError as missing:
        sys.stderr.write(
            f"backup-dispatch: Cinder cannot be imported by {sys.executable}: {missing}. Install "
            "this package into the environment that cinder-backup runs in.\n"
        )
        return 2
    # Most of Cinder, and so of this package, can be imported only after its objects are registered.
    objects.register_all()
    from backup_dispatch.command.app import CommandApp
    from backup_dispatch.command.table import COMMANDS

    gc.freeze()
    gc.enable()
    # oslo.log sends everything to stderr until it is configured.
    logging.getLogger().handlers.clear()
    return CommandApp(COMMANDS).run(argv)


def _flushed(code: int) -> int:
    """The exit code, after flushing: otherwise Python would report a failure at its exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            # The rest cannot be written, and Python must not try again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if isinstance(error, BrokenPipeError):
                code = CLOSED
            else:
                code = 1
                sys.stderr.write(f"backup-dispatch: the output cannot be written: {error}\n")
    return code


def _prepare() -> None:
    # Some of Cinder's drivers pass calls to eventlet's native threads. This process has no green
    # threads that could wait for them; without native ones such calls are made directly.
    os.environ["EVENTLET_THREADPOOL_SIZE"] = "0"
    clean_path()
    warnings.simplefilter("ignore")
    sys.unraisablehook = silent_about_green_threads(sys.unraisablehook)
    # End as after Ctrl-C: whatever is attached meanwhile is detached.
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def silent_about_green_threads(told: Callable[[Any], object]) -> Callable[[Any], object]:
    """A hook for unraisable exceptions that hides only the end of a green thread.

    Before Cinder 29 its drivers leave some, in the threads that query backends. They end with
    the process, in another thread than their own, and Python would report that to the user.
    """

    def hook(unraisable: Any) -> None:
        if type(unraisable.exc_value).__module__.split(".")[0] != "greenlet":
            told(unraisable)

    return hook
