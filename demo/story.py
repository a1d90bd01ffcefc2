# SPDX-License-Identifier: Apache-2.0
"""The main job, from the first server to the last deleted backup."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.filesize import decimal as amount

from demo.blocks import Changes
from demo.client import Client
from demo.cloud import Cloud
from demo.day_two.chapter import DayTwo
from demo.report import Report
from demo.servers.processes import START_SECONDS
from demo.source_data import Image
from demo.steps import GIB, Steps
from demo.volume_work import VolumeWork

SIZE = 2
CONTENT = 300 * 10**6
PERCENT = 2.0
SEED = 20260209
COPIES = 2
TYPE = "two-copies"
VOLUME = "work"
INSIDE = {"datera": "into the cluster", "swift": "into Swift", "posix": "into the directory"}


def tell(cloud: Cloud, report: Report) -> None:
    """Run all of it.

    :raises Exception: at the first unexpected result.
    """
    image = _begin(cloud, report)
    client = Client(cloud.clouds_yaml, report.command)
    steps = Steps(cloud, report, client, VolumeWork(cloud, image.path), SIZE)
    volume_id = _make_volume(steps, report, image)
    changes = Changes(SIZE * GIB, PERCENT, SEED)
    backups = _back_up(steps, report, volume_id, changes)
    volumes = {VOLUME: volume_id, **_restore(steps, report, image, changes)}
    _care(DayTwo(steps, report, client), report, image, backups)
    _delete(steps, report, backups, volumes)


def _begin(cloud: Cloud, report: Report) -> Image:
    report.chapter(1, "A cloud on this machine")
    source = cloud.directory / "source"
    with report.step("start everything") as step:
        # Both take seconds, and neither needs the other.
        maker = cloud.servers.launch(
            "source",
            [sys.executable, "-m", "demo.source_data", source, str(SIZE * GIB), str(CONTENT)],
            ends=True,
        )
        cloud.start()
        cloud.servers.finish(maker, seconds=START_SECONDS)
        step.remark = "Datera emulator (HTTPS), Swift, Keystone, Cinder 29"
    made = maker.ready
    return Image(
        source,
        kind=made["kind"],
        files=made["files"],
        content=made["content"],
        sample=made["sample"],
        original=Path(made["original"]),
    )


def _make_volume(steps: Steps, report: Report, image: Image) -> str:
    report.chapter(2, f"A volume of {SIZE} GiB, filled with real data")
    steps.make_type(TYPE, replicas=COPIES)
    volume_id = steps.make_volume(VOLUME, TYPE, replicas=COPIES)
    steps.fill(
        volume_id,
        image.content,
        f"an {image.kind}" if image.kind[0] in "aeiou" else f"a {image.kind}",
    )
    report.note(
        f"it holds {image.files} files of this Python's library and packages, "
        f"{amount(image.content)}"
    )
    return volume_id


def _back_up(steps: Steps, report: Report, volume_id: str, changes: Changes) -> dict[str, str]:
    report.chapter(3, "Backups: the name says where to, else the property, else the primary")
    backups = {}
    for name, options, expect in (
        ("datera_monday", (), "datera"),
        ("swift_monday", (), "swift"),
        ("posix_monday", (), "posix"),
        ("monday", (), "datera"),
        ("tuesday", ("--property", "backup_backend=swift"), "swift"),
    ):
        backups[name] = steps.back_up(VOLUME, name, *options, expect=expect)
    steps.overwrite(volume_id, changes)
    for name in ("datera_tuesday", "datera_friday"):
        backups[name] = steps.back_up(
            VOLUME, name, "--incremental", expect="datera", incremental=True
        )
    return backups


def _restore(steps: Steps, report: Report, image: Image, changes: Changes) -> dict[str, str]:
    report.chapter(4, "Restores into new volumes, compared byte by byte with what was backed up")
    volumes = {}
    for backup, backend, changed in (
        ("datera_tuesday", "datera", changes),
        ("swift_monday", "swift", None),
    ):
        name = f"from_{backup}"
        volumes[name] = steps.restore(backup, name, backend=backend, expected=image.written)
        steps.compare(name, volumes[name], changed)
    return volumes


def _care(day_two: DayTwo, report: Report, image: Image, backups: dict[str, str]) -> None:
    """Do what an operator does later, and leave in ``backups`` what there still is."""
    report.chapter(5, "Day two: a second copy, old backups that go, a look inside")
    report.note("the operator's commands, in the directory of cinder.conf")
    copied = day_two.copy("datera_monday", backups["datera_monday"], "posix")
    day_two.keep("monday")
    fates = {
        "datera_monday": "go",
        "monday": "keep",
        "datera_tuesday": "go",
        "datera_friday": "keep",
    }
    day_two.prune("datera", "--keep-last", "1", expect=fates)
    day_two.still_incremental(
        "datera_friday", backups["datera_friday"], "monday", backups["monday"]
    )
    day_two.verify("datera_friday", "datera")
    # The copy's name: the first of the two that had it is gone.
    day_two.look_inside("datera_monday", "posix", image)
    del backups["datera_tuesday"]
    backups["datera_monday"] = copied


def _delete(steps: Steps, report: Report, backups: dict[str, str], volumes: dict[str, str]) -> None:
    report.chapter(6, "Everything deleted again")
    # An incremental is deleted before its parent.
    newest = "datera_friday"
    for names in ([newest], [name for name in backups if name != newest]):
        steps.delete_backups(names, _ids(backups, names))
    steps.delete_volumes(list(volumes), list(volumes.values()))
    for backend, what in INSIDE.items():
        steps.nothing_left(backend, what)


def _ids(known: dict[str, str], names: Sequence[str]) -> list[str]:
    return [known[name] for name in names]
