# SPDX-License-Identifier: Apache-2.0
"""What is stored on the cluster, read past the driver."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path

from datera_emulator import Emulator
from tests.faults.backups.records import Records


class Damaged(Exception):
    """A backup cannot be read, or only in part."""


class Stored(Records):
    """Records, and what there is of them on a cluster."""

    emulator: Emulator

    @property
    def names(self) -> list[str]:
        """All app instances."""
        return sorted(one.name for one in self.emulator.cluster.app_instances.values())

    def data_file(self, container: str) -> Path:
        """The file with a container's bytes."""
        cluster = self.emulator.cluster
        (instance,) = [one for one in cluster.app_instances.values() if one.name == container]
        ((_, volume),) = instance.volumes()
        return cluster.files.path(volume.file)

    def spare(self) -> set[str]:
        """Containers that no record names, and that are in the chain of one which a record names.

        Where something cannot be read, what a deletion empties stays until the next in its chain.
        """
        from datera_backup.naming import CHAIN

        chains: dict[str, list[str]] = {}
        for instance in self.emulator.cluster.app_instances.values():
            chain = CHAIN.search(instance.descr)
            chains.setdefault(chain[1] if chain else "", []).append(instance.name)
        named = self.named()
        return {
            name
            for names in chains.values()
            if named.intersection(names)
            for name in names
            if name not in named and not self.backups_in(name)
        }

    def named(self) -> set[str]:
        """The containers that records name, and those that available backups have blocks in."""
        from datera_backup.cinder_record import location_of
        from datera_backup.container import Container, ContainerError, FileDevice
        from datera_backup.naming import container_name

        found = set()
        for record in self.records():
            location = location_of(record)
            if location is None:
                continue
            found.add(location.container)
            if record.status == "available" and location.container in self.names:
                path = self.data_file(location.container)
                with suppress(ContainerError), FileDevice(path, writable=False) as device:
                    commit = Container.open(device).commit_of(location.backup_id)
                    found.update(container_name(str(one)) for one in commit.containers)
        return found

    def backups_in(self, container: str) -> set[str]:
        """The ids of all backups that a container knows, finished or not."""
        from datera_backup.container import Container, FileDevice

        with FileDevice(self.data_file(container), writable=False) as device:
            home = Container.open(device)
            return {str(one) for one in (*home.committed, *home.begun)}

    def reading(self, backup_id: str) -> bytes:
        """Read a backup where it lies, each block verified.

        :raises Damaged: it cannot be read.
        """
        from datera_backup.cinder_record import location_of
        from datera_backup.container import BackupReader, Container, ContainerError, FileDevice
        from datera_backup.engine import EngineError, RandomAccess
        from datera_backup.naming import container_name

        location = location_of(self.row(backup_id))
        if location is None or location.container not in self.names:
            raise Damaged(f"it should be in {location}")
        with ExitStack() as stack:

            def opened(name: str) -> Container:
                device = FileDevice(self.data_file(name), writable=False)
                return Container.open(stack.enter_context(device))

            try:
                home = opened(location.container)
                commit = home.commit_of(location.backup_id)
                others = [
                    opened(container_name(str(one))) for one in commit.containers if one != home.id
                ]
                data = RandomAccess(BackupReader(home, location.backup_id, others))
                content = bytearray(data.size)
                missing = data.read_into(0, memoryview(content))
            except (ContainerError, EngineError) as damage:
                raise Damaged(str(damage)) from damage
        if missing:
            raise Damaged(str(missing))
        return bytes(content)
