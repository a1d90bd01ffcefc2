# SPDX-License-Identifier: Apache-2.0
"""Where the pages' commands are typed: a cloud, a user of it, and its operator."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import generator

from datera_backup.command.main import main as datera_backup
from demo.servers.cinder_conf import VOLUME_BACKEND
from tests.fixtures.cinder.file_volume import SIZE_OF_A_GIB, SmallVolumeDriver
from tests.fixtures.datera.volume_cloud import OTHER, VolumeCloud
from tests.fixtures.dispatch_shell import DispatchShell
from tests.fixtures.pages.walk import Program, Walk
from tests.fixtures.volume_user import CHUNK, User

FILES = "files"
LOCKED = "database is locked"
TRIES = 3
"""Of a command beside services on SQLite, in which a transaction that has read may not always
write when another one does; a cloud has a database server, which waits."""

PLACES = (0, SIZE_OF_A_GIB // 2 + 2**12, SIZE_OF_A_GIB - CHUNK)


class PagesCloud(VolumeCloud):
    """With a third volume backend, whose volumes are small: Cinder's drivers read every zero."""

    def more_lines(self) -> dict[str, dict[str, Any]]:
        """The third backend."""
        driver = f"{SmallVolumeDriver.__module__}.{SmallVolumeDriver.__name__}"
        return {
            "DEFAULT": {
                "enabled_backends": f"{VOLUME_BACKEND}, {OTHER}, {FILES}",
                "quota_backups": -1,
                "quota_backup_gigabytes": -1,
            },
            FILES: {"volume_driver": driver, "volume_backend_name": FILES},
        }


@dataclass(frozen=True)
class Stage:
    """A cloud and who works with it.

    :ivar folder: for files that commands write.
    """

    cloud: PagesCloud
    user: User
    operator: DispatchShell
    folder: Path

    def walk(self, page: str, instead: Mapping[str, str] | None = None) -> Walk:
        """The commands of a page, to be typed here.

        :param instead: what has another name here than on the page.
        """
        programs = {
            "openstack": self._openstack,
            "backup-dispatch": self._backup_dispatch,
            "datera-backup": in_process(datera_backup),
            "oslo-config-generator": in_process(generator.main),
            "curl": self._curl,
            "debugfs": tool("debugfs"),
            "mkdir": tool("mkdir"),
        }
        return Walk(f"docs/{page}.md", programs, instead)

    def begin(self) -> None:
        """Let there be the type of the small volumes."""
        self.user.type(
            "volume", "type", "create", "--property", f"volume_backend_name={FILES}", FILES
        )

    def volume(self, name: str) -> list[bytes]:
        """Create a small volume with data, and return that."""
        self.user.type("volume", "create", "--size", "1", "--type", FILES, name)
        return self.fill(name)

    def fill(self, name: str) -> list[bytes]:
        """Write new data to a volume, and return it."""
        if not self.is_file(name):
            return self.user.fill(name, PLACES)
        written = [os.urandom(CHUNK) for _ in PLACES]
        with self.file_of(name).open("r+b") as file:
            for place, data in zip(PLACES, written, strict=True):
                os.pwrite(file.fileno(), data, place)
        return written

    def contents_of(self, name: str) -> list[bytes]:
        """Read the same places of a volume."""
        if not self.is_file(name):
            return self.user.contents_of(name, PLACES)
        with self.file_of(name).open("rb") as file:
            return [os.pread(file.fileno(), CHUNK, place) for place in PLACES]

    def is_file(self, name: str) -> bool:
        """Whether a volume is on the backend of small ones; what has no type is on Datera."""
        return str(self.user.volumes()[name].host).endswith(FILES)

    def file_of(self, name: str) -> Path:
        """The file that a volume is."""
        folder = self.cloud.directory / "cinder" / "volumes"
        return folder / str(self.user.volumes()[name].id)

    def clear(self) -> None:
        """Remove what pages have made; backups only from the records, which is enough here."""
        for backup in self.user.backups_by_id():
            self.cloud.forget_backup(backup)
        self.user.type("volume", "delete", *self.user.volumes())
        self.user.type("volume", "type", "delete", FILES)

    def _openstack(self, words: list[str]) -> tuple[int, str]:
        if words[:3] == ["volume", "backup", "set"] and "--state" in words:
            state = words[words.index("--state") + 1]
            self.user.set_state(*words, backup=words[-1], state=state)
            return 0, ""
        return 0, self.user.type(*words)

    def _backup_dispatch(self, words: list[str]) -> tuple[int, str]:
        ended = self.operator.run(*words)
        for _ in range(TRIES - 1):
            if LOCKED in ended.told:
                ended = self.operator.run(*words)
        return ended.code, ended.told

    def _curl(self, words: list[str]) -> tuple[int, str]:
        self.user.post_as_curl(words)
        return 0, ""


def in_process(main: Any) -> Program:
    """How a program is run whose work is done by this function."""

    def run(words: list[str]) -> tuple[int, str]:
        told = io.StringIO()
        with redirect_stdout(told), redirect_stderr(told):
            code = main(words)
        return int(code or 0), told.getvalue()

    return run


def tool(program: str) -> Program:
    """How a program of the system is run."""

    def run(words: list[str]) -> tuple[int, str]:
        done = subprocess.run([program, *words], check=False, capture_output=True, text=True)
        return done.returncode, done.stderr + done.stdout

    return run
