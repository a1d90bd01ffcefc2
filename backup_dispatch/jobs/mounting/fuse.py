# SPDX-License-Identifier: Apache-2.0
"""Mounts a filesystem by FUSE: as an ordinary user, by libfuse and its ``fusermount3``."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

from backup_dispatch.errors import DispatchError, one_line, reason_of
from backup_dispatch.jobs.mounting.filesystem import VolumeFilesystem

_DEVICE = "/dev/fuse"
_ENDS = (signal.SIGTERM, signal.SIGHUP)
_CHOICE = "FUSE_LIBRARY_NAME"
_STDERR = 2
_OF_ITS_OWN = "Ignoring invalid max threads"
_NOBODY_SERVES = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO)


class MountRefused(DispatchError):
    """Nothing can be mounted here; the text says what is missing, and the remedy."""


def require_mountable(directory: Path) -> None:
    """Require that a backup can be mounted there, as far as that can be seen before.

    :raises MountRefused: it cannot.
    """
    _mfusepy()
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        raise MountRefused(
            f"{_DEVICE} cannot be used here: load the kernel's module fuse (modprobe fuse), or "
            "give this container the device."
        )
    if os.getuid() and not (shutil.which("fusermount3") or shutil.which("fusermount")):
        raise MountRefused("There is no fusermount3 here: install the system's package fuse3.")
    try:
        entries = os.listdir(directory)
    except OSError as error:
        if error.errno in _NOBODY_SERVES:
            raise MountRefused(
                f"{directory} is still mounted, and the process that served it is gone: "
                f"fusermount3 -u {directory}"
            ) from error
        raise MountRefused(
            f"{directory} cannot be used: {error.strerror}. Name an empty directory of your own."
        ) from error
    if os.path.ismount(directory):
        raise MountRefused(f"{directory} is a mount point already: name another directory.")
    if entries:
        raise MountRefused(
            f"{directory} is not empty, and what is in it would be hidden: name an empty directory."
        )


def serve(
    filesystem: VolumeFilesystem,
    directory: Path,
    ready: Callable[[], None],
    *,
    name: str,
    allow_root: bool = False,
) -> None:
    """Mount the filesystem and serve it until it is unmounted, or a signal ends it.

    Ctrl-C, SIGTERM and SIGHUP end it in the main thread, also while files are open: they fail from
    then on.

    :param ready: called once it is mounted, in a thread of libfuse's.
    :param name: what ``mount`` and ``df`` show.
    :param allow_root: whether root may read it too; otherwise only this user may.
    :raises MountRefused: it could not be mounted.
    """
    mfusepy = _mfusepy()
    with _same_folder() as return_to_it, _libfuse_handles_signals(), _Messages() as messages:

        def mounted() -> None:
            return_to_it()
            messages.give_back()
            ready()

        filesystem.ready = mounted
        try:
            mfusepy.FUSE(
                filesystem,
                str(directory),
                foreground=True,
                ro=True,
                fsname=name,
                subtype="backup-dispatch",
                # It never changes: what was read once stays in the kernel's cache.
                kernel_cache=True,
                **({"allow_root": True} if allow_root else {}),
            )
        except RuntimeError as ended:
            # libfuse says the same of an end by a signal.
            if not filesystem.is_mounted:
                reason = messages.text() or f"libfuse ended with {ended}"
                raise MountRefused(f"{directory} could not be mounted: {reason}") from ended


def _mfusepy() -> Any:
    """The module, using libfuse 3 if that is installed.

    :raises MountRefused: it is not installed, or finds no libfuse.
    """
    before = os.environ.get(_CHOICE)
    if before is None and find_library("fuse3"):
        os.environ[_CHOICE] = "fuse3"
    try:
        import mfusepy  # the extra "mount": few hosts need it
    except ImportError as missing:
        raise MountRefused(
            "The Python package mfusepy is not installed here: python -m pip install mfusepy"
        ) from missing
    except OSError as missing:
        raise MountRefused(
            f"libfuse is not installed here ({reason_of(missing)}): install the system's package "
            "fuse3."
        ) from missing
    finally:
        if before is None:
            os.environ.pop(_CHOICE, None)
    return mfusepy


@contextmanager
def _same_folder() -> Iterator[Callable[[], None]]:
    """Undo that libfuse goes to ``/``, also in the foreground: options may name relative paths.

    Yields what returns to the current folder.
    """
    try:
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # it may not be read, or was removed: nothing relative can be meant
        yield lambda: None
        return
    try:
        yield lambda: os.fchdir(folder)
    finally:
        os.fchdir(folder)
        os.close(folder)


@contextmanager
def _libfuse_handles_signals() -> Iterator[None]:
    """Let libfuse end its loop at a signal: it leaves alone what has a handler already."""
    if current_thread() is not main_thread():
        yield
        return
    handlers = {number: signal.signal(number, signal.SIG_DFL) for number in _ENDS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


class _Messages:
    """What libfuse writes to stderr before something is mounted: the reason, if nothing is.

    Some releases of it complain there of a number of threads that is their own.
    """

    def __enter__(self) -> _Messages:
        self._file = tempfile.TemporaryFile()
        self._kept: int | None = os.dup(_STDERR)
        os.dup2(self._file.fileno(), _STDERR)
        return self

    def __exit__(self, *_error: object) -> None:
        self.give_back()
        self._file.close()

    def give_back(self) -> None:
        """Let stderr be what it was."""
        if self._kept is not None:
            os.dup2(self._kept, _STDERR)
            os.close(self._kept)
            self._kept = None

    def text(self) -> str:
        """What was written, in one line."""
        self._file.seek(0)
        lines = self._file.read().decode(errors="replace").splitlines()
        return one_line("; ".join(line for line in lines if _OF_ITS_OWN not in line))
