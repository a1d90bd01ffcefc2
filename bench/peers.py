# SPDX-License-Identifier: Apache-2.0
"""The peers that the Datera backend is compared with, and their commands."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bench.measuring import machine
from bench.measuring.process import run

STEPS = ("full", "unchanged", "changed", "restore")
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Figure:
    """One step of one peer.

    :param processor: processor seconds of all its threads.
    :param memory: bytes that it added to its process.
    :param servers: processor seconds of the servers that it needs, in addition.
    """

    seconds: float
    processor: float
    memory: int
    servers: float = 0.0


class Peer(Protocol):
    """A program or driver that backs images up to a folder and restores the last backup."""

    @property
    def name(self) -> str:
        """Its name in the tables."""

    @property
    def version(self) -> str:
        """The version that was measured."""

    @property
    def steps(self) -> Sequence[str]:
        """Those of :data:`STEPS` that it supports, in order."""

    @property
    def note(self) -> str:
        """A note for readers of its figures, or nothing."""

    def store(self, folder: Path) -> AbstractContextManager[None]:
        """Create an empty store in an empty folder; at its end nothing of it runs any more."""

    def step(self, step: str, folder: Path, image: Path) -> Figure:
        """Do one of its steps; for ``restore``, ``image`` is an empty sparse file."""

    def slowed(self, milliseconds: float) -> Peer | None:
        """The same peer with storage that waits so long for each request; None if impossible."""


def environment(**more: str) -> dict[str, str]:
    """The environment of what is measured: of the user's only the search path."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


@dataclass(frozen=True)
class InProcess:
    """A driver that is called in a Python process of its own; its start does not count.

    :param modules: folders with further modules for its process.
    :param latency: milliseconds that each of its requests to storage waits.
    """

    name: str
    version: str
    modules: tuple[Path, ...] = ()
    latency: float = 0.0
    steps: Sequence[str] = STEPS
    note: str = ""

    @contextmanager
    def store(self, folder: Path) -> Iterator[None]:
        """The first step creates what it needs."""
        yield

    def step(self, step: str, folder: Path, image: Path) -> Figure:
        """Do one step."""
        command = [
            sys.executable,
            "-m",
            "bench.inside",
            self.name,
            step,
            str(folder),
            str(image),
            str(self.latency),
        ]
        path = os.pathsep.join(map(str, (ROOT, *self.modules)))
        env = environment(PYTHONPATH=path)
        told = json.loads(run(command, folder=folder, environment=env).output)
        return Figure(told["seconds"], told["processor"], told["memory"])

    def slowed(self, milliseconds: float) -> InProcess:
        """The same driver, slowed down from inside its process."""
        return replace(self, latency=milliseconds)


@dataclass(frozen=True)
class Program:
    """A program whose start-up is subtracted from its time and its memory.

    :param start: the resources that printing its version uses.
    """

    name: str
    version: str
    path: str
    start: Figure
    steps: Sequence[str] = STEPS
    note: str = ""

    @contextmanager
    def store(self, folder: Path) -> Iterator[None]:
        """Make an empty store."""
        self._run("init", folder, Path(), folder)
        yield

    def step(self, step: str, folder: Path, image: Path) -> Figure:
        """Do one step."""
        if step != "restore":
            return self._run(step, folder, image, folder)
        # Programs restore a file under its own name: it is then moved to the requested place.
        into = image.with_name("extracted")
        into.mkdir()
        try:
            took = self._run(step, folder, image, into)
            (extracted,) = (path for path in into.rglob("*") if path.is_file())
            extracted.replace(image)
        finally:
            shutil.rmtree(into)
        return took

    def slowed(self, milliseconds: float) -> None:
        """Impossible: its requests could only be slowed by what slows its other calls too."""

    def _run(self, step: str, folder: Path, image: Path, into: Path) -> Figure:
        store = str(folder / "store")
        if step != "init":
            machine.make_ready(machine.MEMORY * image.stat().st_size)
        arguments = (_borg if self.name == "borg" else _restic)(step, store, image)
        took = run([self.path, *arguments], folder=into, environment=_of(folder))
        return Figure(
            max(0.0, took.seconds - self.start.seconds),
            max(0.0, took.processor - self.start.processor),
            max(0, took.peak - self.start.memory),
        )


def _borg(step: str, store: str, image: Path) -> list[str]:
    if step == "init":
        return ["init", "--encryption", "none", store]
    if step == "restore":
        return ["extract", "--sparse", f"{store}::changed"]
    # Devices have no useful timestamps, so Borg's files cache would not help with volumes.
    return [
        "create",
        "--compression=zstd,1",
        "--chunker-params=fixed,4194304",
        "--files-cache=disabled",
        f"{store}::{step}",
        str(image),
    ]


def _restic(step: str, store: str, image: Path) -> list[str]:
    if step == "init":
        return ["init", "--repo", store]
    if step == "restore":
        return ["restore", "latest", "--repo", store, "--target", "."]
    return ["backup", "--repo", store, "--force", str(image)]


def _of(folder: Path) -> Mapping[str, str]:
    return environment(
        HOME=str(folder),
        XDG_CACHE_HOME=str(folder / "cache"),
        BORG_BASE_DIR=str(folder),
        RESTIC_PASSWORD="none",
    )


def find_program(name: str, *folders: Path) -> Program | None:
    """Return a program if it is installed, in one of the folders or on the path."""
    path = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ["PATH"]]))
    if path is None:
        return None
    version = "version" if name == "restic" else "--version"
    took = run([path, version], folder=Path("/"), environment=environment())
    words = took.output.split()
    return Program(name, words[1], path, Figure(took.seconds, took.processor, took.peak))
