# SPDX-License-Identifier: Apache-2.0
"""The real ``backup-dispatch`` command, run as the operator of the demo's Cinder."""

import contextlib
import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from demo.cloud import with_connector
from demo.servers.processes import PROJECT, STOP_SECONDS, environment
from demo.waiting import Permanent, until

PROGRAM = PROJECT / "demo" / "day_two" / "program.py"
SECONDS = 300.0
UNUSABLE = 2
NOT_MOUNTED = "could not be mounted"
VOLUME = "volume.raw"


class CommandFailed(Exception):
    """The command failed."""


class NothingMounted(Permanent):
    """Nothing can be mounted on this machine; the text says what is missing."""


class Operator:
    """Runs the commands in the directory of cinder.conf, and shows each as it would be typed.

    :param conf: cinder.conf.
    :param show: called with each command.
    :param program: what is run for ``backup-dispatch``.
    """

    def __init__(
        self, conf: Path, show: Callable[[str], None], program: Sequence[str] = ()
    ) -> None:
        self._conf = conf
        self._directory = conf.parent
        self._show = show
        self._program = program or with_connector(PROGRAM)

    def run(self, *words: str) -> Any:
        """Run a command and return its output.

        :raises CommandFailed: its exit code is not 0; with what it has told.
        """
        with self._started(words) as process:
            out, err = _ended(process)
        if process.returncode != 0:
            raise CommandFailed(_failure(words, process.returncode, err))
        return json.loads(out)

    @contextlib.contextmanager
    def mounted(self, backup: str, name: str) -> Iterator[Path]:
        """Mount a backup, yield its file, and unmount it again.

        :param name: a directory to create beside cinder.conf.
        :raises NothingMounted: this machine or this user cannot mount anything.
        :raises CommandFailed: the command failed for another reason, or found damage.
        """
        directory = self._directory / name
        directory.mkdir()
        words = ("mount", backup, name)
        with self._started(words) as process:
            until(
                f"{backup} mounted",
                lambda: os.path.ismount(directory) or process.poll() is not None,
                seconds=SECONDS,
            )
            if process.poll() is not None:
                _, err = _ended(process)
                if process.returncode == UNUSABLE or NOT_MOUNTED in err:
                    raise NothingMounted(_last(err))
                raise CommandFailed(_failure(words, process.returncode, err))
            try:
                yield directory / VOLUME
            finally:
                process.terminate()
                _, err = _ended(process)
        if process.returncode != 0:
            raise CommandFailed(_failure(words, process.returncode, err))
        directory.rmdir()

    def tool(self, *words: str) -> None:
        """Run a program in the same directory.

        :raises CommandFailed: it failed, with its error message.
        """
        self._show(shlex.join(words))
        done = subprocess.run(
            words,
            cwd=self._directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise CommandFailed(f"{shlex.join(words)}: {done.stderr.strip()}")

    @contextlib.contextmanager
    def _started(self, words: tuple[str, ...]) -> Iterator["subprocess.Popen[str]"]:
        conf = ("--config-file", self._conf.name)
        self._show(shlex.join(["backup-dispatch", *conf, *words]))
        with subprocess.Popen(
            [*self._program, *conf, *words, "-f", "json"],
            cwd=self._directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            except BaseException:
                # Ends as after Ctrl-C, and leaves nothing attached or mounted.
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_SECONDS)
                process.kill()
                raise


def _ended(process: "subprocess.Popen[str]") -> tuple[str, str]:
    try:
        return process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _failure(words: tuple[str, ...], code: int, err: str) -> str:
    return f"{shlex.join(['backup-dispatch', *words])}: exit code {code}: {err.strip()}"


def _last(err: str) -> str:
    """The last line of what a command has told, without its name."""
    lines = err.strip().splitlines()
    return lines[-1].removeprefix("backup-dispatch: ") if lines else "it gives no reason"
