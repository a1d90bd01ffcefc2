# SPDX-License-Identifier: Apache-2.0
"""Servers as child processes: started until ready, and stopped with all their descendants.

A server reports that it is ready by one line of JSON on its standard output. Each server leads a
session of its own: a Ctrl-C in the terminal reaches only the demo, which then stops the servers in
reverse order, and the processes that a server has started are stopped with its group.
"""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backup_dispatch.search_path import enterable
from demo.waiting import Permanent, TookTooLong, until

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 180.0
STOP_SECONDS = 10.0
TAIL_LINES = 15


class ServerFailed(Permanent):
    """A server ended before it was ready, or was not ready in time."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a child: this one, with the demo importable and no proxies.

    Everything is on the loopback interface, which a proxy cannot reach.
    """
    proxies = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
    env = {
        name: value
        for name, value in os.environ.items()
        # OS_ would select the user's own cloud, and XDG_ may locate its file; the demo must
        # never use that.
        if name.lower() not in proxies and not name.startswith(("OS_", "XDG_"))
    }
    path = [str(PROJECT), *filter(None, [env.get("PYTHONPATH")])]
    tools = [str(Path(sys.executable).parent), env.get("PATH", os.defpath), "/usr/sbin", "/sbin"]
    return {
        **env,
        "PYTHONPATH": os.pathsep.join(path),
        "PATH": enterable(os.pathsep.join(tools)),
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
        "no_proxy": "*",
        "NO_PROXY": "*",
        **(extra or {}),
    }


class Server:
    """One running child process, leader of its own session."""

    def __init__(
        self, name: str, process: "subprocess.Popen[bytes]", log: Path, *, ends: bool = False
    ) -> None:
        self.name = name
        self.ends = ends
        self.pid = process.pid
        self.log = log
        self.ready: dict[str, Any] = {}
        self._process = process

    @property
    def running(self) -> bool:
        """Whether the process itself still runs."""
        return self._process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it exited although it should run, or with an error."""
        status = self._process.poll()
        return status is not None and not (self.ends and status == 0)

    def stop(
        self, *, seconds: float = STOP_SECONDS, hurried: Callable[[], bool] = lambda: False
    ) -> None:
        """Terminate the process, then kill its whole group. Stopping twice is harmless.

        :param seconds: how long it may take to exit.
        :param hurried: polled meanwhile; once it returns True, the process is killed.
        """
        if self.running:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TookTooLong):
                until("its end", lambda: hurried() or not self.running, seconds=seconds)
        # Processes that it had started may still run in its group.
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        # If only root's processes are left in the group, they were run through sudo,
        # and exit once it has exited.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class Servers:
    """The servers started so far, to be stopped in reverse order.

    :param logs: the directory for each server's ``NAME.out`` (standard output), ``NAME.log`` and
        ``NAME.tmp`` (its ``TMPDIR``).
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._servers: list[Server] = []

    def __iter__(self) -> Iterator[Server]:
        return iter(self._servers)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        seconds: float = START_SECONDS,
    ) -> Server:
        """Start a server and return it once it is ready; its JSON line is ``server.ready``.

        :raises ServerFailed: it exits, or the time is over, before it is ready.
        """
        server = self.launch(name, command, env=env)
        self.await_ready(server, seconds=seconds)
        return server

    def launch(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
        ends: bool = False,
    ) -> Server:
        """Start a server without waiting for it; `await_ready` must follow.

        :param descriptors: open files of this process that the server gets too.
        :param ends: whether it is a program that does one thing and exits; see `finish`.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        output, log = self._logs / f"{name}.out", self._logs / f"{name}.log"
        # What a killed server leaves there is removed with the logs.
        temporary = self._logs / f"{name}.tmp"
        temporary.mkdir(exist_ok=True)
        # A signal between the two would leave a process that is not recorded.
        with output.open("wb") as out, log.open("ab") as err, _signals_held():
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment({"TMPDIR": os.fspath(temporary), **(env or {})}),
                start_new_session=True,
                pass_fds=descriptors,
            )
            server = Server(name, process, log, ends=ends)
            self._servers.append(server)
        return server

    def await_ready(self, server: Server, *, seconds: float = START_SECONDS) -> None:
        """Wait for a launched server's JSON line and keep it as ``server.ready``.

        :raises ServerFailed: when it ends, or the time is over, before it is ready.
        """

        def first_line() -> dict[str, Any] | None:
            alive = server.running  # checked first: a line may come just before the exit
            ready = _json_line(self._logs / f"{server.name}.out")
            if ready is None and not alive:
                raise ServerFailed(self._story_of(server, "ended before it was ready"))
            return ready

        try:
            server.ready = until(server.name, first_line, seconds=seconds)
        except TookTooLong:
            raise ServerFailed(
                self._story_of(server, f"was not ready within {seconds:g} seconds")
            ) from None

    def finish(self, server: Server, *, seconds: float) -> None:
        """Await a program that does one thing, prints its result as a line of JSON, and exits.

        :raises ServerFailed: it exits without one, or the time is over.
        """
        self.await_ready(server, seconds=seconds)
        server.stop()
        self._servers.remove(server)

    def check(self) -> None:
        """Do nothing while all servers run.

        :raises ServerFailed: one has exited that should run, or with an error.
        """
        for server in self._servers:
            if server.failed:
                raise ServerFailed(self._story_of(server, "ended by itself"))

    def stop(
        self, *, seconds: float = STOP_SECONDS, hurried: Callable[[], bool] = lambda: False
    ) -> None:
        """Stop all servers, the last one first; the arguments are those of `Server.stop`."""
        while self._servers:
            self._servers[-1].stop(seconds=seconds, hurried=hurried)
            # Only now, so that an interrupted stop can be resumed.
            self._servers.pop()

    @staticmethod
    def _story_of(server: Server, what: str) -> str:
        tail = server.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"{server.name} {what}; its log is {server.log}", *tail])


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Defer signals until the end of the block."""
    came: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():  # the only one that handles signals
        handlers = {
            number: signal.signal(number, lambda number, frame: came.append(number))
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if callable(signal.getsignal(number))
        }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for arrived in came:
            signal.raise_signal(arrived)


def _json_line(path: Path) -> dict[str, Any] | None:
    for line in path.read_text(errors="replace").splitlines(keepends=True):
        if line.startswith("{") and line.endswith("\n"):
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    return found
    return None


def collect_rarely() -> None:
    """Look for garbage less often: of a service's million objects hardly any ever is.

    To be called before the service is imported, which takes a sixth longer otherwise.
    """
    gc.set_threshold(200_000, 20, 50)


def say_ready(**facts: object) -> None:
    """Print the line by which a server of the demo reports that it is ready."""
    gc.freeze()  # what is there now stays as long as the process
    print(json.dumps({**facts, "pid": os.getpid()}), flush=True)
