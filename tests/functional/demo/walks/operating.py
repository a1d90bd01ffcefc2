# SPDX-License-Identifier: Apache-2.0
"""The pages of day two: what the operator types, on a cloud with backups of some weeks."""

from __future__ import annotations

import datetime
import lzma
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.servers.ini import write_ini
from demo.waiting import until
from tests.fixtures import mounting
from tests.fixtures.pages import ROOT
from tests.fixtures.pages.outputs import assert_as_shown
from tests.fixtures.pages.walk import Walk
from tests.functional.demo.walks.stage import Stage, tool

VOLUME = "origin"
MADE = {
    "datera_1": datetime.timedelta(days=37),
    "datera_2": datetime.timedelta(days=2, hours=3),
    "datera_3": datetime.timedelta(days=2),
    "swift_1": datetime.timedelta(days=32, hours=3),
    "swift_2": datetime.timedelta(days=32),
}
"""The backups and their ages; on each backend the later ones are incrementals."""

SECONDS = 60.0
GOLDEN = ("version-2-first.xz", "601d0000-0000-0000-0000-000000000000")


def backups_of_some_weeks(stage: Stage) -> None:
    """Back a volume up, and let that have been a while ago."""
    stage.volume(VOLUME)
    noon = datetime.datetime.utcnow().replace(hour=15, minute=0, second=0, microsecond=0)
    for name, age in MADE.items():
        later = () if name.endswith("_1") else ("--incremental",)
        stage.user.type("volume", "backup", "create", *later, "--name", name, VOLUME)
        made = str(noon - age)
        stage.cloud.rewrite_backup(stage.user.newest(name), created_at=made, data_timestamp=made)


def retention(stage: Stage) -> None:
    """Type what ``retention`` has."""
    walk = stage.walk("retention")
    walk.type("--keep-monthly 12")
    walk.type("--keep-daily 7")
    walk.type("backup_keep", BACKUP=stage.user.newest("datera_3"))
    walk.end()


def looking(stage: Stage) -> None:
    """Type what ``looking`` has, with a mistake in ``cinder.conf``."""
    walk = stage.walk("looking", {"gold": "files"})
    backup = stage.user.newest("datera_2")
    owner = "datera_backup.driver.DateraBackupDriver"
    stage.cloud.rewrite_backup(backup, service="cinder.backup.drivers.s3.S3BackupDriver@old")
    (stage.folder / "file").touch()
    mistake = write_ini(
        stage.folder / "mistake.conf", {"DEFAULT": {"backup_posix_path": stage.folder / "file"}}
    )
    with reading(stage, stage.cloud.cinder_conf, mistake):
        walk.type("check", 1)
    stage.cloud.rewrite_backup(backup, service=owner)
    walk.type("--property backup_backend=swift")
    walk.type("--volume-type")
    walk.type("--parent", BACKUP=backup)
    walk.type("--older-than")
    walk.type("show")
    walk.end()


def upgrading(stage: Stage) -> None:
    """Type what ``upgrading`` has."""
    walk = stage.walk("upgrading")
    walk.type("creating")
    walk.type("restoring")
    walk.end()


def verification(stage: Stage) -> None:
    """Type what ``verification`` has."""
    walk = stage.walk("verification")
    walk.type("--dry-run")
    told = walk.type("--time 4h")
    assert [name for name in MADE if name not in told] == []
    walk.type("--share")
    walk.end()


def monitoring(stage: Stage) -> None:
    """Type what ``monitoring`` has."""
    walk = stage.walk("monitoring", {"127.0.0.1:9917": "127.0.0.1:0"})
    file = stage.folder / "backups.prom"
    walk.type("--output", FILE=str(file))
    assert 'backup_dispatch_backups{backend="datera",status="available"} 3.0' in file.read_text()
    _, words = walk.next("--listen")
    serving = stage.operator.begin(*words)
    until("an address", lambda: "Serving http" in serving.told(), seconds=SECONDS)
    assert serving.end(asked=True).code == 130
    page = stage.folder / "report.html"
    walk.type("html", FILE=str(page))
    assert "datera_1" in page.read_text()
    assert max(map(len, walk.type("text").splitlines())) <= 72
    walk.end()


def copies(stage: Stage) -> None:
    """Type what ``copies`` has; what leaves Ceph there leaves posix here."""
    walk = stage.walk("copies", {"ceph": "posix"})
    stage.user.type("volume", "backup", "create", "--name", "posix_1", VOLUME)
    walk.type("datera_2 --to swift")
    walk.type("--newer-than 7d")
    copied = [one for one in stage.user.backups_by_id().values() if one.metadata.get("copy_of")]
    assert len(copied) == 2
    walk.type("--move --dry-run")
    walk.type("--move")
    assert stage.user.backend_of(stage.user.newest("posix_1")) == "datera"
    walk.type("list", BACKEND="posix")
    walk.end()


def reading_back(stage: Stage) -> None:
    """Type what ``reading-back`` has, with a damaged backup and a container of long ago."""
    walk = stage.walk("reading-back")
    walk.type("--all")
    stage.user.type("volume", "backup", "create", "--name", "posix_2", VOLUME)
    objects = [one for one in stage.cloud.posix_backups.rglob("*") if one.is_file()]
    data = max(objects, key=lambda one: one.stat().st_size)
    data.write_bytes(bytes(data.stat().st_size))
    walk.type("verify posix_2", 1)
    output = stage.folder / "output"
    walk.type("salvage", BACKUP="datera_1", OUTPUT=str(output))
    assert output.read_bytes() == stage.file_of(VOLUME).read_bytes()
    golden, backup = GOLDEN
    device = stage.folder / "container"
    device.write_bytes(lzma.decompress((ROOT / "tests" / "golden" / golden).read_bytes()))
    walk.type("--list", DEVICE=str(device))
    other = stage.folder / "other"
    walk.type("salvage", DEVICE=str(device), BACKUP=backup, OUTPUT=str(other))
    assert other.stat().st_size
    walk.end()
    stage.user.type("volume", "backup", "delete", "posix_2")


def mounts(stage: Stage) -> None:
    """Type what ``mounting`` has: a file comes back from a backup of Tuesday."""
    letter = random.Random(1).randbytes(300_000)
    source = stage.folder / "source"
    (source / "srv").mkdir(parents=True)
    (source / "srv" / "letter.odt").write_bytes(letter)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", source, stage.file_of(VOLUME)], check=True)
    stage.user.type("volume", "backup", "create", "--name", "tuesday", VOLUME)
    directory = stage.folder / "tuesday"

    walk = stage.walk("mounting", {"/tmp/tuesday": str(directory)})
    empty = stage.folder / "empty"
    empty.mkdir()
    named = {"BACKUP": "tuesday"}
    with mounted(stage, walk, **named, DIRECTORY=str(empty)):
        pass
    assert "tuesday" in walk.type("list", VOLUME=str(stage.user.volumes()[VOLUME].id))
    walk.type("show", **named)
    walk.type("mkdir")
    with mounted(stage, walk, **named, DIRECTORY=str(directory)):
        for part in ("ls", "dump"):
            _, words = walk.next(part)
            here = [word.replace("/tmp/", f"{stage.folder}/") for word in words]
            code, told = tool("debugfs")(here)
            assert code == 0, told
        assert tool("e2fsck")(["-fn", str(directory / "volume.raw")])[0] == 0
    assert (stage.folder / "letter.odt").read_bytes() == letter
    with mounted(stage, walk, **named, DIRECTORY=str(directory)):
        pass
    walk.end()


@contextmanager
def mounted(stage: Stage, walk: Walk, **stand_for: str) -> Iterator[None]:
    """Mount a backup with the next command while a block runs."""
    step, words = walk.next("mount", **stand_for)
    directory = Path(stand_for["DIRECTORY"])
    running = stage.operator.begin(*words)
    until(step.text, lambda: os.path.ismount(directory), seconds=SECONDS)
    try:
        yield
        shown = [line.replace("DIRECTORY", str(directory)) for line in step.shown]
        if shown:
            until("what it tells", lambda: "Ctrl-C" in running.told(), seconds=SECONDS)
            assert_as_shown(shown, running.told())
    finally:
        mounting.unmount(directory)
        ended = running.end(asked=False)
    assert ended.code == 0, ended


def owners(stage: Stage) -> None:
    """Type what ``owners`` has: a section was renamed, and the records still have its old name."""
    user = stage.user
    owner = "cinder.backup.drivers.posix.PosixBackupDriver@east"
    user.type("volume", "backup", "create", "--name", "posix_3", VOLUME)
    for name in ("posix_3", "datera_1"):
        stage.cloud.rewrite_backup(user.newest(name), service=owner)
    conf = stage.folder / "renamed.conf"
    before = "backup_datera_secondary_backup_drivers = swift, posix"
    now = "enabled_backup_backends = datera, swift, north"
    section = f"[north]\nbackup_driver = posix\nbackup_posix_path = {stage.cloud.posix_backups}\n"
    text = stage.cloud.cinder_conf.read_text()
    assert before in text
    conf.write_text(f"{text.replace(before, now)}\n{section}")
    walk = stage.walk("owners")
    with reading(stage, conf):
        walk.type("--dry-run", 1)
        walk.type("adopt", 1)
        walk.type("orphans")
        walk.type("orphans --delete")
    walk.end()
    for name, driver in (
        ("posix_3", "cinder.backup.drivers.posix.PosixBackupDriver"),
        ("datera_1", "datera_backup.driver.DateraBackupDriver"),
    ):
        stage.cloud.rewrite_backup(user.newest(name), service=driver)


@contextmanager
def reading(stage: Stage, *files: Path) -> Iterator[None]:
    """Let the operator's commands read these as ``cinder.conf`` while a block runs."""
    before, stage.operator.conf = stage.operator.conf, list(files)
    try:
        yield
    finally:
        stage.operator.conf = before
