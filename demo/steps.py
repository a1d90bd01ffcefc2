# SPDX-License-Identifier: Apache-2.0
"""The steps of the demo: each is done with the real client, awaited, shown and checked."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from rich.filesize import decimal as amount

from demo.blocks import Changes
from demo.client import Client
from demo.cloud import Cloud
from demo.holdings import Holdings
from demo.report import Report
from demo.traffic import counter
from demo.volume_work import VolumeWork
from demo.waiting import NotYet, Permanent, until

GIB = 2**30
SECONDS = 300.0


class Unexpected(Permanent):
    """A step did not have the expected result."""


class Steps:
    """The operations of a user, one method per step.

    :param size: of the volumes, in GiB.
    """

    def __init__(
        self, cloud: Cloud, report: Report, client: Client, work: VolumeWork, size: int
    ) -> None:
        self.cloud = cloud
        self.holdings = Holdings(cloud)
        self._report = report
        self._client = client
        self._work = work
        self._size = size
        self._storage = cloud.connection("demo").block_storage

    @property
    def volume_bytes(self) -> int:
        """The size of each volume, in bytes."""
        return self._size * GIB

    def make_type(self, name: str, *, replicas: int) -> None:
        """Create a volume type with so many replicas."""
        with self._report.step(f"volume type {name}"):
            self._client.admin(
                *("volume", "type", "create", name, "--property", f"DF:replica_count={replicas}")
            )

    def make_volume(self, name: str, volume_type: str, *, replicas: int) -> str:
        """Create a volume and return its ID once it is available.

        :raises Unexpected: the cluster does not have so many replicas of it.
        """
        with self._report.step(f"volume {name}"):
            made = self._client.user(
                *("volume", "create", "--size", str(self._size), "--type", volume_type, name)
            )
            self._await(self._storage.get_volume, made["id"])
            kept = self.holdings.replicas(made["id"])
            if [copies for _, copies in kept] != [replicas]:
                raise Unexpected(f"{name} should have {replicas} copies on the cluster: {kept}")
        self._report.note(f"on the cluster: {kept[0][0]}, {replicas} copies")
        return str(made["id"])

    def fill(self, volume_id: str, content: int, what: str) -> None:
        """Write the data to back up to a volume."""
        with self._report.step("fill it", backend="datera", total=self.volume_bytes) as step:
            step.row.moved = self._work.fill(volume_id, step.progress)
            step.remark = what

    def overwrite(self, volume_id: str, changes: Changes) -> None:
        """Overwrite a part of a volume."""
        title = f"overwrite {changes.percent:g} %"
        with self._report.step(title, backend="datera", total=changes.total) as step:
            step.row.moved = self._work.change(volume_id, changes, step.progress)

    def back_up(
        self, volume: str, name: str, *options: str, expect: str, incremental: bool = False
    ) -> str:
        """Back a volume up, show where the backup landed and why, and return its ID.

        :raises Unexpected: it failed, or landed elsewhere than on ``expect``.
        """
        before = self.holdings.stored(expect)
        title = f"back up {name}"
        with self._report.step(title, backend=expect, total=self.volume_bytes) as step:
            moved = counter(self.cloud.cinder_pid, "rchar")
            made = self._client.user(
                *("volume", "backup", "create", "--name", name, *options, volume)
            )
            backup = self._await(
                self._storage.get_backup, made["id"], lambda: step.progress(moved())
            )
            step.row.moved = self.volume_bytes
            landed = self._landed(backup)
            if landed != expect:
                raise Unexpected(f"{name} landed on {landed}, not on {expect}")
            if bool(backup.is_incremental) is not incremental:
                raise Unexpected(f"{name}: is_incremental is {backup.is_incremental}")
            stored = self.holdings.stored(expect) - before
            step.row.verdict = f"stored {amount(max(stored, 0))}"
        self._report.note(f"landed on {landed}: {self._reason(backup.id, landed)}")
        return str(backup.id)

    def restore(self, backup: str, volume: str, *, backend: str, expected: int) -> str:
        """Restore a backup to a new volume and return the volume's ID.

        :param expected: approximate number of bytes to be written.
        """
        with self._report.step(f"restore {backup}", backend=backend, total=expected) as step:
            moved = counter(self.cloud.cinder_pid, "wchar")
            made = self._client.user("volume", "backup", "restore", backup, volume)
            self._await(self._storage.get_volume, made["volume_id"], lambda: step.progress(moved()))
            self._await(self._storage.get_backup, made["id"])
            step.row.moved = self.volume_bytes
            step.remark = f"into the new volume {volume}"
        return str(made["volume_id"])

    def compare(self, name: str, volume_id: str, changes: Changes | None) -> None:
        """Compare every byte of a restored volume with what was backed up.

        :raises demo.volume_work.Mismatch: at the first byte that differs.
        """
        with self._report.step(f"compare {name}", total=self.volume_bytes) as step:
            step.row.moved = self._work.compare(volume_id, changes, step.progress)
            if step.row.moved != self.volume_bytes:
                raise Unexpected(f"only {step.row.moved} bytes of {name} were compared")
            step.row.verdict = "every byte equal"
            step.remark = step.row.verdict

    def record(self, backup_id: str) -> Any:
        """Return a backup as its user sees it."""
        return self._storage.get_backup(backup_id)

    def delete_backups(self, names: Sequence[str], ids: Sequence[str]) -> None:
        """Delete backups and wait until they are deleted."""
        with self._report.step(f"delete {_several(names, 'backup')}"):
            self._client.user("volume", "backup", "delete", *names)
            for backup_id in ids:
                self._await_gone(self._storage.get_backup, backup_id)

    def delete_volumes(self, names: Sequence[str], ids: Sequence[str]) -> None:
        """Delete volumes and wait until they are deleted."""
        with self._report.step(f"delete {_several(names, 'volume')}"):
            self._client.user("volume", "delete", *names)
            for volume_id in ids:
                self._await_gone(self._storage.get_volume, volume_id)

    def nothing_left(self, backend: str, what: str) -> None:
        """Show that a backend is empty.

        :raises Unexpected: it is not.
        """
        with self._report.step(f"look {what}", backend=backend) as step:
            left = self.holdings.names(backend)
            if left:
                raise Unexpected(f"{backend} still holds {', '.join(left[:5])}")
            step.row.verdict = "holds nothing"
            step.remark = step.row.verdict

    def _await(
        self,
        ask: Callable[[str], Any],
        identity: str,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Any:
        """Wait until something is available and return it.

        :raises Unexpected: its status becomes an error, with Cinder's reason if there is one.
        """

        def settled() -> Any:
            self.cloud.servers.check()
            meanwhile()
            found = ask(identity)
            if found.status.startswith("error"):
                reason = getattr(found, "fail_reason", None) or "Cinder gives no reason"
                raise Unexpected(f"{found.name or identity}: {found.status}: {reason}")
            if found.status != "available":
                raise NotYet(found.status)
            return found

        return until(f"{identity} available", settled, seconds=SECONDS)

    def _await_gone(self, ask: Callable[[str], Any], identity: str) -> None:
        from openstack.exceptions import NotFoundException  # slow to import; loaded by now

        def gone() -> bool:
            self.cloud.servers.check()
            try:
                found = ask(identity)
            except NotFoundException:
                return True
            if found.status.startswith("error"):
                raise Unexpected(f"{found.name}: {found.status}")
            raise NotYet(found.status)

        until(f"{identity} gone", gone, seconds=SECONDS)

    def _landed(self, backup: Any) -> str:
        """Return the backend that has a backup: the property names it, the backend confirms it."""
        backend = str((backup.metadata or {}).get("backup_backend", "nowhere"))
        marks = [mark for mark in (backup.id, backup.container) if mark]
        if backend in ("datera", "swift", "posix"):
            held = self.holdings.names(backend)
            if not any(mark in name for mark in marks for name in held):
                raise Unexpected(f"{backend} holds nothing of {backup.name}")
        return backend

    def _reason(self, backup_id: str, backend: str) -> str:
        """Return why the dispatcher chose the backend: it logs that once per backup."""
        told = re.compile(rf"Backup {backup_id} goes to backend {re.escape(backend)}: (.+)\.$")
        with self.cloud.cinder_log.open(errors="replace") as log:
            for line in log:
                if found := told.search(line):
                    return found.group(1)
        return "the log does not say why"


def _several(names: Sequence[str], noun: str) -> str:
    return f"{noun} {names[0]}" if len(names) == 1 else f"{len(names)} {noun}s"
