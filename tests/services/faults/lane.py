# SPDX-License-Identifier: Apache-2.0
"""Two hosts in a zone of their own: one for cinder-backup, one for cinder-volume."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from demo.servers.ini import Sections
from demo.waiting import NotYet, until
from tests.fixtures.faults.extent import chance
from tests.services.faults import data
from tests.services.faults.requests_to_cinder import Refused
from tests.services.faults.small_cloud import Process, SmallCloud
from tests.services.stack.array_view import Instance, instances

BACKUP, VOLUME, COMMAND = "cinder-backup", "cinder-volume", "backup-dispatch"
SECONDS = 240.0
FINAL_BACKUPS = {"available", "error"}
FINAL_VOLUMES = {"available", "error", "error_restoring", "in-use"}


class Lane:
    """The hosts, and what is asked of them.

    :ivar zone: the availability zone, by which Cinder finds the hosts.
    :ivar processes: those that run, by program.
    :ivar contents: what each backup must hold, as a digest.
    """

    def __init__(self, cloud: SmallCloud, number: int, locks_url: str = "") -> None:
        self.cloud = cloud
        self.zone = f"zone-{number}"
        self.hosts = {BACKUP: f"backup-{number}", VOLUME: f"volume-{number}"}
        self.processes: dict[str, Process] = {}
        self.contents: dict[str, str] = {}
        self.requests = cloud.requests
        self.backups: set[str] = set()
        self.volumes: set[str] = set()
        self.chance = chance("kills", number)
        self._locks_url = locks_url or cloud.etcd.locks_url

    # -- the services ----------------------------------------------------------------------

    def launch(self, program: str) -> Process:
        """Start one of the two."""
        host = self.hosts[program]
        started = self.cloud.launch(program, host, sections=self._sections())
        self.processes[program] = started
        return started

    def command(self, *words: str) -> Process:
        """Start ``backup-dispatch`` on the host of cinder-backup."""
        return self.cloud.launch(COMMAND, self.hosts[BACKUP], *words, sections=self._sections())

    def await_command(self, *words: str) -> str:
        """Run ``backup-dispatch`` to its end, and return the end of what it has said."""
        running = self.command(*words)
        running.steps.spare()
        assert running.has_ended(SECONDS), words
        running.kill()
        return running.log.read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """Kill both."""
        for process in self.processes.values():
            process.kill()

    def _sections(self) -> Sections:
        return {
            "DEFAULT": {
                "storage_availability_zone": self.zone,
                "default_availability_zone": self.zone,
                "backup_posix_path": self.folder,
            },
            "coordination": {"backend_url": self._locks_url},
        }

    @property
    def folder(self) -> Path:
        """Where the copies are."""
        folder = self.cloud.directory / "copies" / self.zone
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # -- records ---------------------------------------------------------------------------

    def states(self, table: str, ids: Iterable[str]) -> dict[str, str]:
        """The states of records that are not deleted."""
        wanted = list(ids)
        if not wanted:
            return {}
        places = ", ".join(["%s"] * len(wanted))
        rows = self.cloud.database.query(
            f"SELECT id, status FROM {table} WHERE deleted = 0 AND id IN ({places})", *wanted
        )
        return {row["id"]: row["status"] for row in rows}

    def record(self, backup: str) -> dict[str, Any]:
        """A backup's record."""
        return self.cloud.database.query("SELECT * FROM backups WHERE id = %s", backup)[0]

    def under_way(self) -> dict[str, str]:
        """What is in no final state."""
        backups = self.states("backups", self.backups).items()
        volumes = self.states("volumes", self.volumes).items()
        return {
            **{one: state for one, state in backups if state not in FINAL_BACKUPS},
            **{one: state for one, state in volumes if state not in FINAL_VOLUMES},
        }

    def settled(self) -> None:
        """Wait until all is in a final state."""

        def is_settled() -> bool:
            if left := self.under_way():
                raise NotYet(str(left))
            return True

        until(f"final states in {self.zone}", is_settled, seconds=SECONDS)

    # -- operations that are awaited -------------------------------------------------------

    def volume(self) -> str:
        """Create a volume."""

        def made() -> str:
            dead = [
                name
                for name in self.hosts
                if name in self.processes and self.processes[name].has_ended()
            ]
            assert not dead, (self.zone, dead)
            volume = self.requests.create_volume("volume", self.zone)
            self.volumes.add(volume)
            self.settled()
            if self.states("volumes", [volume])[volume] != "available":
                self.requests.delete_volume(volume)
                raise NotYet("its creation failed")
            return volume

        return until("a volume", made, seconds=SECONDS)

    def path(self, volume: str) -> Path:
        """The file with a volume's bytes."""
        return self.cloud.file_of(volume)

    def begin_backup(self, volume: str, *, incremental: bool = False) -> str:
        """Ask for a backup of what the volume holds."""
        made = self.requests.create_backup(
            volume, "datera_nightly", self.zone, incremental=incremental
        )
        self.backups.add(made)
        self.contents[made] = data.digest(self.path(volume))
        return made

    def backup(self, volume: str) -> str:
        """Make a backup of a volume."""

        def made() -> str:
            backup = self.begin_backup(volume)
            self.settled()
            if not self.is_available(backup):
                told = self.record(backup)["fail_reason"]
                self.delete([backup])
                raise NotYet(told)
            return backup

        return until("a backup", made, seconds=SECONDS)

    def is_available(self, backup: str) -> bool:
        """Whether Cinder calls a backup available."""
        return self.states("backups", [backup]).get(backup) == "available"

    def restored(self, backup: str, volume: str) -> None:
        """Restore a backup onto a volume and compare all bytes."""

        def succeeded() -> bool:
            # Each time: a service that starts again calls the volume of a restore that it has
            # broken off unusable, whenever it comes to that.
            self.usable(volume)
            self.requests.restore(backup, volume)
            self.settled()
            if (state := self.states("volumes", [volume])[volume]) != "available":
                raise NotYet(state)
            return True

        until(f"the restore of {backup}", succeeded, seconds=SECONDS)
        found = data.digest(self.path(volume))
        assert found == self.contents[backup], f"{backup} restores to other bytes"

    def usable(self, volume: str) -> None:
        """Let a volume that was being restored be restored again: Cinder asks its owner."""
        if self.states("volumes", [volume])[volume] != "available":
            self.requests.reset_volume(volume)

    def delete(self, backups: Iterable[str]) -> None:
        """Delete backups, the newest first, until none of their records is left."""
        ordered = sorted(backups, key=lambda one: self.record(one)["created_at"], reverse=True)
        for backup in ordered:
            self._gone("backups", backup, self.requests.delete_backup)
            self.contents.pop(backup, None)

    def delete_volumes(self, volumes: Iterable[str]) -> None:
        """Delete volumes until none of their records is left."""
        for volume in volumes:
            self._gone("volumes", volume, self.requests.delete_volume)
            self.volumes.discard(volume)

    def _gone(self, table: str, identity: str, ask: Callable[[str], None]) -> None:
        def gone() -> bool:
            state = self.states(table, [identity]).get(identity)
            if state is None:
                return True
            if state != "deleting":
                ask(identity)
            raise NotYet(state)

        until(f"deletion of {identity}", gone, seconds=SECONDS)

    def detach_all(self, volume: str) -> None:
        """Delete what attachments there are, as whoever asked for them does after a failure."""

        def detached() -> bool:
            for attachment in self.requests.attachments(volume):
                self.requests.detach(attachment)
            return True

        until(f"{volume} detached", detached, seconds=SECONDS)

    # -- what is left ----------------------------------------------------------------------

    def on_cluster(self) -> list[Instance]:
        """The app instances of this zone's volumes and backups."""
        ours = self.backups | self.volumes
        return [one for one in instances(self.cloud.where) if any(own in one.name for own in ours)]

    def named(self) -> set[str]:
        """The containers that records of backups name."""
        left = self.states("backups", self.backups)
        return {str(self.record(one)["container"]) for one in left} - {"None"}

    def leaks(self) -> list[str]:
        """What is there that no record names."""
        found = []
        named = self.named()
        for one in self.on_cluster():
            if one.name.startswith("backup-"):
                if one.name not in named:
                    found.append(f"{one.name} is named by no record")
                if one.online or one.hosts:
                    found.append(f"{one.name} is open: {set(one.hosts)}")
        place = self.cloud.directory / "cinder" / self.hosts[BACKUP]
        # Of its own containers: a host that clears up looks at all that are online to nobody.
        found += [
            str(path)
            for path in place.glob("locks/datera-backup-users-*")
            if any(one in path.name for one in self.backups)
            and not any(name in path.name for name in named)
        ]
        found += [str(path) for path in (place / "tmp").iterdir()]
        return found

    def await_no_leaks(self) -> None:
        """Wait until nothing is there that no record names."""

        def none() -> bool:
            if left := self.leaks():
                raise NotYet("; ".join(left))
            return True

        until(f"nothing left in {self.zone}", none, seconds=SECONDS)


__all__ = ["Lane", "Refused"]
