# SPDX-License-Identifier: Apache-2.0
"""Cinder's Ceph driver as a peer, with a Ceph cluster of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.measuring.image import free_for
from bench.measuring.process import Failed, processor_of
from bench.peers import Figure, InProcess
from demo.servers.processes import ServerFailed, environment
from demo.waiting import TookTooLong
from tests.services.install import bindings
from tests.services.stack.servers.ceph import USER, Ceph
from tests.services.stack.servers.daemons import Daemons

NAME = "ceph"
PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "rbd")
PLACEMENT_GROUPS = 32
"""Ceph's default for a pool; with one, nothing would be written in parallel."""
PATIENT = f"""
[client.{USER}]
rados_osd_op_timeout = 0
"""
"""A disk may be slow: that is a result, not a failure."""
NOTE = (
    "Cinder's driver refuses an incremental of a volume that is no RBD image, so each further "
    "backup is another full one, and what is restored here is the first. One OSD, one copy of "
    "everything, nothing compressed; the memory is the client's."
)


class CephPeer:
    """The driver in a process of its own, and a cluster for each store.

    :param modules: Ceph's modules for this Python.
    """

    name = NAME
    steps: Sequence[str] = ("full", "restore")
    note = NOTE

    def __init__(self, version: str, modules: Sequence[Path]) -> None:
        self.version = version
        self._modules = modules
        self._servers: list[int] = []

    @contextmanager
    def store(self, folder: Path) -> Iterator[None]:
        """Start a new cluster, and stop it in any case."""
        found = folder / "modules"
        found.mkdir()
        for module in self._modules:
            (found / module.name).symlink_to(module)
        daemons = Daemons(folder / "logs")
        cluster = Ceph(
            folder / "ceph", daemons, disk=free_for(folder), placement_groups=PLACEMENT_GROUPS
        )
        try:
            try:
                cluster.start()
            except (
                RuntimeError,
                ServerFailed,
                TookTooLong,
                subprocess.TimeoutExpired,
            ) as failure:
                raise Failed(
                    f"Ceph is installed and does not start: {failure}. --peers leaves it out."
                ) from failure
            with cluster.conf.open("a") as file:
                file.write(PATIENT)
            self._servers = [server.pid for server in daemons]
            yield
        finally:
            # At once: what they have not written yet is not needed.
            daemons.stop(hurried=lambda: True)

    def step(self, step: str, folder: Path, image: Path) -> Figure:
        """Do one step."""
        client = InProcess(self.name, self.version, modules=(folder / "modules",))
        before = self._processor()
        figure = client.step(step, folder, image)
        return replace(figure, servers=self._processor() - before)

    def slowed(self, milliseconds: float) -> None:
        """Impossible: its store is not files, but servers that answer in their own time."""

    def _processor(self) -> float:
        return sum(processor_of(pid) for pid in self._servers)


def lacking(folder: Path, path: str, modules: Sequence[Path]) -> list[str]:
    """Return what is missing for measuring Ceph in ``folder``; nothing if it can be.

    :param path: where to look for programs, as in ``PATH``.
    :param modules: those that its client needs.
    """
    found = [f"no {name}" for name in PROGRAMS if shutil.which(name, path=path) is None]
    found += [f"no {module}" for module in modules if not module.exists()]
    if not _knows_direct(folder):
        # Shared memory supports it since Linux 6.6.
        found.append(f"no direct writes in {folder}, name another --directory")
    return found


def _knows_direct(folder: Path) -> bool:
    probe = folder / "direct"
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_RDWR | os.O_DIRECT))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def find_ceph(folder: Path) -> tuple[CephPeer | None, list[str]]:
    """Return Ceph if it can be measured in ``folder``, else what is missing."""
    modules, env = bindings(), environment()
    missing = lacking(folder, env["PATH"], modules)
    if missing:
        return None, missing
    told = subprocess.run(
        ["ceph", "--version"], env=env, capture_output=True, text=True, check=True
    )
    return CephPeer(told.stdout.split()[2], modules), []
