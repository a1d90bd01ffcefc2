# SPDX-License-Identifier: Apache-2.0
"""A user's operations in a project: each with the real client, awaited."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any

from demo.waiting import NotYet, until
from tests.services.stack.cloud import Cloud
from tests.services.stack.disks import AT_A_TIME, INITIATOR, Write

SECONDS = 600.0
MIB = 2**20


class Project:
    """One user's project.

    :ivar do: the user's client.
    """

    def __init__(self, cloud: Cloud, user: str) -> None:
        self._cloud = cloud
        self.do = cloud.client(user)
        self._disks = cloud.disks(user)
        self._connection = cloud.people.connection(user)
        self._storage = self._connection.block_storage

    @property
    def project_id(self) -> str:
        """The project's id."""
        return str(self._connection.current_project_id)

    def answer_to_an_import(self, service: str, metadata: str) -> int:
        """Request a record's import and return the API's status.

        Not with the client: some of its releases use a wrong URL.
        """
        record = {"backup_service": service, "backup_url": metadata}
        answer = self._storage.post("/backups/import_record", json={"backup-record": record})
        return int(answer.status_code)

    # -- volumes ---------------------------------------------------------------------------

    def volume(self, kind: str, *writes: Write) -> str:
        """Create a volume of a type and fill it; return its ID."""
        made = self.do("volume", "create", "--size", "1", "--type", kind, f"{kind} volume")
        self.await_volume(made["id"], "available")
        if writes:
            self.write(made["id"], *writes)
        return str(made["id"])

    def volumes(self, kind: str, *contents: tuple[Write, ...]) -> list[str]:
        """Create several volumes, some at the same time; return their IDs."""
        with ThreadPoolExecutor(AT_A_TIME) as side:
            return list(side.map(lambda writes: self.volume(kind, *writes), contents))

    def delete_volumes(self, *volume_ids: str) -> None:
        """Delete volumes, and wait until their records are deleted."""
        self.do("volume", "delete", *volume_ids)
        for volume_id in volume_ids:
            self.await_volume_gone(volume_id)

    def await_volume_gone(self, volume_id: str) -> None:
        """Wait until a volume's record is deleted.

        :raises AssertionError: the deletion failed.
        """

        def gone() -> bool:
            (record,) = self._cloud.database.query(
                "SELECT status, deleted FROM volumes WHERE id = %s", volume_id
            )
            assert record["status"] != "error_deleting", volume_id
            if not record["deleted"]:
                raise NotYet(record["status"])
            return True

        until(f"volume {volume_id} gone", gone, seconds=SECONDS)

    def digests(self, volume_ids: Iterable[str]) -> list[str]:
        """Return the digest of each volume, read some at a time."""
        with ThreadPoolExecutor(AT_A_TIME) as side:
            return list(side.map(self.digest, volume_ids))

    def await_volume(self, volume_id: str, status: str) -> None:
        """Wait until a volume has a status.

        :raises AssertionError: its status became an error instead.
        """

        def arrived() -> bool:
            now = self._storage.get_volume(volume_id).status
            assert status.startswith("error") or not now.startswith("error"), (volume_id, now)
            if now != status:
                raise NotYet(now)
            return True

        until(f"volume {volume_id} {status}", arrived, seconds=SECONDS)

    def write(self, volume_id: str, *writes: Write) -> None:
        """Write to a volume through an attachment."""
        self._disks.write(volume_id, writes)
        self.await_volume(volume_id, "available")

    def digest(self, volume_id: str) -> str:
        """Return the digest of all the bytes of a volume, read through an attachment."""
        found = self._disks.digest(volume_id)
        self.await_volume(volume_id, "available")
        return found

    def snapshot(self, volume_id: str) -> str:
        """Take a snapshot of a volume; return its id."""
        made = self.do("volume", "snapshot", "create", "--volume", volume_id, "then")
        identity = str(made["id"])

        def taken() -> bool:
            now = self._storage.get_snapshot(identity).status
            assert not now.startswith("error"), (identity, now)
            if now != "available":
                raise NotYet(now)
            return True

        until(f"snapshot {identity}", taken, seconds=SECONDS)
        return identity

    @contextmanager
    def in_use(self, volume_id: str) -> Iterator[None]:
        """Attach a volume to a host during the block, as for an instance."""
        host = {
            "initiator": INITIATOR,
            "host": "compute",
            "ip": "127.0.0.1",
            "mountpoint": "/dev/vdb",
        }
        attachment = self._storage.create_attachment(volume_id, connector=host, mode="rw")
        try:
            self._storage.complete_attachment(attachment)
            self.await_volume(volume_id, "in-use")
            yield
        finally:
            self._storage.delete_attachment(attachment)
        self.await_volume(volume_id, "available")

    def temporaries(self) -> list[dict[str, Any]]:
        """Return Cinder's temporary volumes and snapshots for backups that were not removed."""
        return [
            row
            for table, column in (("volumes", "temp_volume_id"), ("snapshots", "temp_snapshot_id"))
            for row in self._cloud.database.query(
                f"SELECT t.id FROM {table} t JOIN backups b ON b.{column} = t.id"
                " WHERE t.deleted = 0"
            )
        ]

    # -- backups ---------------------------------------------------------------------------

    def begin_backup(self, volume_id: str, name: str, *options: str) -> str:
        """Request a backup; return its ID."""
        made = self.do("volume", "backup", "create", "--name", name, *options, volume_id)
        return str(made["id"])

    def backup(
        self, volume_id: str, name: str, *options: str, status: str = "available"
    ) -> dict[str, Any]:
        """Create a backup, wait until it has a status, and return its record."""
        return self.await_backup(self.begin_backup(volume_id, name, *options), status)

    def await_backup(self, backup_id: str, status: str) -> dict[str, Any]:
        """Wait until a backup has a status, and return its record.

        :raises AssertionError: its status became an error instead.
        """

        def arrived() -> dict[str, Any]:
            record = self.record(backup_id)
            if record["status"] == status:
                return record
            assert not str(record["status"]).startswith("error"), _told(record)
            raise NotYet(_told(record))

        return until(f"backup {backup_id} {status}", arrived, seconds=SECONDS)

    def record(self, backup_id: str) -> dict[str, Any]:
        """Return a backup's record from Cinder's database."""
        return self._cloud.database.query("SELECT * FROM backups WHERE id = %s", backup_id)[0]

    def await_end(self, backup_id: str) -> dict[str, Any]:
        """Wait until a backup is no longer ``creating``, whatever the result; return its record."""

        def ended() -> dict[str, Any]:
            record = self.record(backup_id)
            if record["status"] not in ("available", "error"):
                raise NotYet(_told(record))
            return record

        return until(f"the end of backup {backup_id}", ended, seconds=SECONDS)

    def restore(self, backup_id: str, onto: str | None = None) -> str:
        """Restore a backup, to a new volume if none is named; return the volume's ID."""
        volume = self.begin_restore(backup_id, onto)
        self.await_restore(backup_id, volume)
        return volume

    def begin_restore(self, backup_id: str, onto: str | None = None) -> str:
        """Request a restore; return the volume's ID."""
        words = [] if onto is None else ["--force"]
        target = onto or f"restored {uuid.uuid4().hex[:8]}"
        made = self.do("volume", "backup", "restore", *words, backup_id, target)
        return str(made["volume_id"])

    def restore_all(self, backup_ids: Iterable[str], onto: Iterable[str | None] = ()) -> list[str]:
        """Restore backups, all at once, to new volumes if none are named; return these."""
        ordered = [
            (backup, self.begin_restore(backup, target))
            for backup, target in zip_longest(backup_ids, onto)
        ]
        for backup, volume in ordered:
            self.await_restore(backup, volume)
        return [volume for _, volume in ordered]

    def await_restore(self, backup_id: str, volume_id: str) -> None:
        """Wait until a restore has succeeded."""
        self.await_backup(backup_id, "available")
        self.await_volume(volume_id, "available")

    def delete_backups(self, *backup_ids: str) -> None:
        """Delete backups without incrementals, and wait until their records are deleted."""
        self.do("volume", "backup", "delete", *backup_ids)
        for backup_id in backup_ids:
            self.await_deletion(backup_id)

    def delete_backups_of(self, volume_id: str) -> None:
        """Delete all backups of a volume, which are full; there is at least one."""
        found = self._cloud.database.query(
            "SELECT id FROM backups WHERE volume_id = %s AND deleted = 0", volume_id
        )
        self.delete_backups(*(record["id"] for record in found))

    def await_deletion(self, backup_id: str) -> None:
        """Wait until a backup's record is deleted.

        :raises AssertionError: the deletion failed.
        """

        def gone() -> bool:
            record = self.record(backup_id)
            assert record["status"] not in ("error", "error_deleting"), _told(record)
            if not record["deleted"]:
                raise NotYet(_told(record))
            return True

        until(f"backup {backup_id} gone", gone, seconds=SECONDS)


def _told(record: dict[str, Any]) -> str:
    """Return a backup's status and reason from its record."""
    reason = f": {record['fail_reason']}" if record["fail_reason"] else ""
    return f"{record['display_name']} on {record['host']} is {record['status']}{reason}"
