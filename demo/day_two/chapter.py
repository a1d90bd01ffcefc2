# SPDX-License-Identifier: Apache-2.0
"""What the operator does with ``backup-dispatch``, one method per step; each is checked."""

import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.filesize import decimal as amount

from demo import blocks
from demo.client import Client
from demo.day_two.command import VOLUME, NothingMounted, Operator
from demo.report import Report
from demo.source_data import Image
from demo.steps import Steps, Unexpected

MOUNTED = "mounted"
FOREVER = "backup_keep=forever"


class DayTwo:
    """The operator's steps."""

    def __init__(self, steps: Steps, report: Report, client: Client) -> None:
        self._steps = steps
        self._report = report
        self._client = client
        self._operator = Operator(steps.cloud.cinder_conf, report.command)

    def copy(self, name: str, backup_id: str, to: str) -> str:
        """Copy a backup to another backend, look at the copy's record, and return its ID.

        :raises Unexpected: it was not copied, or the record does not say so.
        """
        before = self._steps.holdings.stored(to)
        with self._report.step(f"copy {name}", backend=to) as step:
            (told,) = self._operator.run("copy", name, "--to", to)
            if told["Result"] != "copied":
                raise Unexpected(f"{name} was not copied to {to}: {told}")
            step.row.moved = self._steps.volume_bytes
            step.row.verdict = f"stored {amount(max(self._steps.holdings.stored(to) - before, 0))}"
            step.remark = f"read back: {told['Verified']}"
        copy_id = str(told["Copy"])
        shown = self._client.user("volume", "backup", "show", copy_id, "-c", "metadata")
        properties = shown["metadata"]
        if (properties["copy_of"], properties["backup_backend"]) != (backup_id, to):
            raise Unexpected(f"the record of the copy of {name} says {properties}")
        self._report.note(
            f"copy_of is {name}'s ID: a backup of its own, which Cinder restores without "
            f"{name} or this software"
        )
        return copy_id

    def keep(self, name: str) -> None:
        """Let the user say that a backup shall stay."""
        with self._report.step(f"keep {name}"):
            self._client.user("volume", "backup", "set", "--property", FOREVER, name)

    def prune(self, backend: str, *policy: str, expect: Mapping[str, str]) -> None:
        """Let backups go by a policy: first ask what would go, then let it go.

        :param expect: what must become of each backup: ``go`` or ``keep``.
        :raises Unexpected: something else would, or something else went.
        """
        words = ("prune", "--backend", backend, *policy)
        with self._report.step("what would go", backend=backend) as step:
            planned = self._operator.run(*words, "--dry-run")
            fates = {one["Name"]: one["Fate"] for one in planned}
            if fates != expect:
                raise Unexpected(f"prune should plan {expect}, and plans {fates}")
            step.row.verdict = step.remark = _counts(list(fates.values()))
        for one in planned:
            why = ", ".join(_lines(one["Why"]))
            self._report.note(f"{one['Name']}: {one['Fate']}" + (f", {why}" if why else ""))
        with self._report.step("prune", backend=backend) as step:
            gone = {one["Name"] for one in self._operator.run(*words) if one["Fate"] == "gone"}
            if gone != {name for name, fate in expect.items() if fate == "go"}:
                raise Unexpected(f"prune should do {expect}, and deleted {sorted(gone)}")
            step.row.verdict = f"{len(gone)} gone"
            step.remark = ", ".join(sorted(gone)) + " gone"

    def still_incremental(self, name: str, backup_id: str, parent: str, parent_id: str) -> None:
        """Show that a backup whose parent is gone now builds on its grandparent.

        :raises Unexpected: it does not.
        """
        if not self._steps.record(backup_id).is_incremental:
            raise Unexpected(f"{name} is not incremental any more")
        if not self._steps.record(parent_id).has_dependent_backups:
            raise Unexpected(f"nothing builds on {parent}")
        self._report.note(f"{name} now builds on {parent}, which its own parent was built on")

    def verify(self, name: str, backend: str) -> None:
        """Read a backup back and have each block verified.

        :raises Unexpected: it is not sound.
        """
        with self._report.step(f"verify {name}", backend=backend) as step:
            told = self._operator.run("verify", name)
            if told["result"] != "sound":
                raise Unexpected(f"{name} should be sound: {told}")
            step.row.verdict = "sound"
            step.remark = f"sound, {told['checked']}"

    def look_inside(self, name: str, backend: str, image: Image) -> None:
        """Mount a backup, take a file out, and compare the whole volume with what was backed up.

        Where nothing can be mounted, a note says so.

        :raises Unexpected: the file is not what was backed up.
        :raises demo.blocks.Differs: the volume is not.
        """
        try:
            with (
                self._report.step(f"mount {name}", backend=backend) as step,
                self._operator.mounted(name, MOUNTED) as volume,
            ):
                self._take_out(volume, image)
                with volume.open("rb", buffering=0) as found, image.path.open("rb") as source:
                    step.row.moved = blocks.compare(found, source, None, lambda done: None)
                step.row.verdict = "every byte equal"
                step.remark = f"{VOLUME} has every byte equal"
        except NothingMounted as reason:
            self._report.rows[-1].verdict = "not tried"
            self._report.note(f"nothing can be mounted here: {reason}")

    def _take_out(self, volume: Path, image: Image) -> None:
        """Take one file out of a volume, and compare it with the original."""
        name = image.sample
        place = volume.parent.parent / Path(name).name
        if image.is_filesystem:
            relative = volume.relative_to(place.parent)
            self._operator.tool("debugfs", "-R", f"dump /{name} {place.name}", str(relative))
        else:
            with tarfile.open(volume, mode="r:") as archive:
                taken = archive.extractfile(name)
                place.write_bytes(taken.read() if taken else b"")
        # debugfs has no exit codes.
        if not place.exists() or place.read_bytes() != image.original.read_bytes():
            raise Unexpected(f"{name} is not in {volume} as it was backed up")
        self._report.note(f"{name} taken out: {amount(place.stat().st_size)}, as backed up")


def _counts(fates: list[str]) -> str:
    return ", ".join(f"{fates.count(fate)} {fate}" for fate in sorted(set(fates)))


def _lines(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [str(value)] if value else []
