# SPDX-License-Identifier: Apache-2.0
"""Peers are measured with the steps that they have, and leave nothing running."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bench import suite
from bench.__main__ import main
from bench.ceph import peer as ceph_peer
from bench.measuring.process import Failed
from bench.peers import STEPS, Figure
from demo.waiting import until
from tests.services.stack.servers.ceph import Ceph

MIB = 1 << 20
ROOT = Path(__file__).parents[3]


class Copier:
    """A peer that keeps a copy of the first image that it gets, or of the last."""

    name = "copier"
    version = "1"
    note = ""
    seconds = 1.0

    def __init__(self, steps: Sequence[str], *, keeps: str) -> None:
        self.steps = steps
        self.running = False
        self._keeps = keeps

    @contextmanager
    def store(self, folder: Path) -> Iterator[None]:
        (folder / "store").mkdir()
        self.running = True
        try:
            yield
        finally:
            # Whoever still runs does so in a folder that is there.
            assert folder.is_dir()
            self.running = False

    def step(self, step: str, folder: Path, image: Path) -> Figure:
        assert self.running
        copy = folder / "store" / "copy"
        if step == "restore":
            shutil.copyfile(copy, image)
        elif self._keeps == "last" or not copy.exists():
            shutil.copyfile(image, copy)
        return Figure(self.seconds, 1.0, 1)

    def slowed(self, milliseconds: float) -> Copier | None:
        if self._keeps == "first":
            return None
        slow = Copier(self.steps, keeps=self._keeps)
        slow.seconds += milliseconds
        return slow


def measure(peer: Copier, folder: Path, latency: float = 0.0) -> suite.Results:
    (results,) = suite.measure(folder, [peer], 8 * MIB, 1, lambda _: None, latency=latency)
    return results


def test_what_is_restored_is_held_against_the_last_that_was_backed_up(tmp_path: Path) -> None:
    peer = Copier(("full", "restore"), keeps="last")
    found = measure(peer, tmp_path).figures["copier"]
    assert list(found) == ["full", "restore"]
    assert found["full"][0]["stored"] >= MIB
    assert not peer.running


def test_latency_is_measured_beside_the_quiet_figures_of_the_same_run(tmp_path: Path) -> None:
    peer = Copier(("full", "restore"), keeps="last")
    results = measure(peer, tmp_path, latency=5.0)
    assert results.figures["copier"]["full"][0]["seconds"] == 1.0
    assert results.slowed["copier"]["full"][0]["seconds"] == 6.0
    assert measure(peer, tmp_path).slowed == {}


def test_a_peer_that_cannot_be_slowed_has_quiet_figures_only(tmp_path: Path) -> None:
    results = measure(Copier(("full", "restore"), keeps="first"), tmp_path, latency=5.0)
    assert list(results.figures) == ["copier"]
    assert results.slowed == {}


def test_a_peer_that_restores_something_else_is_found_out(tmp_path: Path) -> None:
    peer = Copier(STEPS, keeps="first")
    with pytest.raises(RuntimeError, match="copier did not restore what it was given"):
        measure(peer, tmp_path)
    assert not peer.running


def test_a_peer_is_stopped_when_one_of_its_steps_fails(tmp_path: Path) -> None:
    peer = Copier(("restore",), keeps="last")
    with pytest.raises(FileNotFoundError):
        measure(peer, tmp_path)
    assert not peer.running
    assert not (tmp_path / "work").exists()


def test_all_that_ceph_lacks_is_named(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in set(ceph_peer.PROGRAMS) - {"ceph-osd"}:
        (programs / name).touch(mode=0o700)
    there, away = tmp_path / "rados.so", tmp_path / "rbd.so"
    there.touch()
    missing = ceph_peer.lacking(tmp_path, str(programs), [there, away])
    assert missing[:2] == ["no ceph-osd", f"no {away}"]
    assert not (tmp_path / "direct").exists()


def test_ceph_needs_direct_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, flags: int, *rest: Any) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument", path)
        return real(path, flags, *rest)

    real = os.open
    monkeypatch.setattr(os, "open", refuse)
    (missing,) = ceph_peer.lacking(tmp_path, "", [])[len(ceph_peer.PROGRAMS) :]
    assert missing == f"no direct writes in {tmp_path}, name another --directory"


MEASURES = """\
import signal, sys
from pathlib import Path

from bench.measuring import process
signal.signal(signal.SIGTERM, signal.default_int_handler)
script = "import os, time; print(os.getpid(), file=open('pid', 'w'), flush=True); time.sleep(600)"
process.run([sys.executable, "-c", script], folder=Path(sys.argv[1]), environment={})
"""


def test_a_measurement_ends_with_the_benchmark(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with subprocess.Popen(
        [sys.executable, "-c", MEASURES, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL
    ) as benchmark:
        until(
            "the measurement", lambda: pid.exists() and pid.read_text().endswith("\n"), seconds=60
        )
        benchmark.send_signal(signal.SIGTERM)
        try:
            benchmark.wait(timeout=60)
        finally:
            benchmark.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("latency", ["0", "-5", "1000", "nan", "much"])
def test_a_latency_that_cannot_be_is_refused(
    latency: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--latency", latency])
    assert f"{latency} is no number of ms below 1000" in capsys.readouterr().err


def test_a_name_that_no_peer_has_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(
        SystemExit, match=r"nobody is called borgg; there are .*datera, .*posix-zstd"
    ):
        main(["--peers", "borgg,posix-zstd", "--directory", str(tmp_path)])
    assert not any(tmp_path.iterdir())


def test_a_ceph_that_does_not_start_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_cluster: Any) -> None:
        raise RuntimeError("ceph-mon: no room")

    monkeypatch.setattr(Ceph, "start", start)
    peer = ceph_peer.CephPeer("16.2", [])
    told = "does not start: ceph-mon: no room. --peers leaves it out"
    with pytest.raises(Failed, match=told), peer.store(tmp_path):
        pytest.fail("it cannot be measured")


def test_a_simulation_that_is_ended_leaves_no_emulator(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.scale", "--directory", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:

        def simulates() -> bool:
            assert running.poll() is None
            return len(processes_with(tmp_path)) > 2

        until("the emulator and the service", simulates, seconds=60.0)
        running.terminate()
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert errors.endswith("interrupted; nothing that it started is left running\n")
    until("their end", lambda: not processes_with(tmp_path), seconds=60.0)
    assert not any(tmp_path.iterdir())


def processes_with(folder: Path) -> list[str]:
    """The command lines in which a folder is named."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in text:
                found.append(text)
    return found
