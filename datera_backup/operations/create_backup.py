# SPDX-License-Identifier: Apache-2.0
"""Take one backup: choose its container, write it there, and leave no trace if that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

from cinder import exception, objects
from oslo_log import log as logging

from datera_backup import cinder_record, naming
from datera_backup.cinder_record import Location
from datera_backup.clean_up import CleanUp
from datera_backup.container import (
    BackupNotInContainer,
    BackupReader,
    BackupUncommitted,
    BackupUnderWay,
    Commit,
    Container,
    Geometry,
    NewBackup,
    worst_case,
)
from datera_backup.engine import BackupJob, Source
from datera_backup.errors import BackupFailed, ContainerGone, ParentUnusable
from datera_backup.native_thread import in_native_thread
from datera_backup.operations.placement import (
    Fits,
    FitsExtended,
    Placement,
    StartsNew,
    new_container_gib,
    place_in_parents,
)
from datera_backup.operations.progress import Guarded, Watch, run
from datera_backup.storage import containers
from datera_backup.storage.backend import DateraBackend
from datera_backup.storage.locks import CloudLock, remove_locks, writer_lock
from datera_volume.connection import DateraError

LOG = logging.getLogger(__name__)

LOCK_SECONDS = 300.0
"""How long a deletion of the very same backup may keep its container's lock."""


class CreateBackup:
    """One backup on its way into a container.

    :param label: the name of a container that the user asked for, which is only written down.
    :param metadata: goes into the commit record.
    """

    def __init__(
        self,
        backend: DateraBackend,
        context: Any,
        backup: Any,
        source: Source,
        *,
        label: str | None,
        metadata: Mapping[str, Any],
        watch: Watch,
    ) -> None:
        self._backend = backend
        self._tenant = backend.tenant
        self._attachments = backend.attachments
        self._context = context
        self._backup = backup
        self._backup_id = UUID(backup.id)
        self._source = source
        self._label = label
        self._metadata = metadata
        self._watch = watch
        self._only_intended = False

    def run(self) -> Commit:
        """Take the backup.

        :raises ParentUnusable: the parent of an incremental is not where its record says.
        :raises VolumeTooLarge: it might not fit into any container.
        :raises BackupCancelled: its record is being deleted.
        """
        parent = self._parent_location()
        if parent is None:
            return self._into_new_container(None)
        # A chain lies in one tenant, whatever the options have become.
        self._tenant = self._backend.cluster.tenant(parent.tenant)
        self._attachments = self._backend.attachments_in(parent.tenant)
        with CleanUp(f"Backup {self._backup.id}") as clean_up:
            clean_up.add("reset the container in its record", lambda: self._unclaim(parent))
            # Before it is attached: whatever becomes of this process, the record names it.
            self._only_intended = True
            self._claim(parent.container)
            commit = self._into_parents_container(parent) or self._into_new_container(parent)
            clean_up.forget()
        return commit

    # Where

    def _parent_location(self) -> Location | None:
        if not self._backup.parent_id:
            return None
        parent = objects.Backup.get_by_id(self._context, self._backup.parent_id)
        if parent.status not in cinder_record.LIVING:
            raise ParentUnusable(
                reason=f"Parent {parent.id} is {parent.status!s}, not available; take a full backup"
            )
        try:
            location = cinder_record.location_of(parent)
        except BackupFailed as foreign:
            raise ParentUnusable(reason=f"{foreign}; take a full backup") from foreign
        if location is None:
            raise ParentUnusable(
                reason=f"Nothing is stored of parent {parent.id}; take a full backup"
            )
        return location

    def _into_parents_container(self, parent: Location) -> Commit | None:
        """Append to the parent's container; None if this backup must start a new one."""
        name = parent.container
        lock = writer_lock(name)
        if not lock.try_acquire():
            self._log_new("another operation writes to the parent's")
            return None
        with CleanUp(f"Backup {self._backup.id}") as clean_up:
            clean_up.add(f"release the lock of container {name}", lock.release)
            extended = False
            while True:
                with self._parent_opened(parent, writable=True) as (home, reader):
                    placement = self._placement(home, reader)
                    if isinstance(placement, Fits):
                        self._only_intended = False
                        self._claim(name)
                        try:
                            commit = self._append(home, reader, lock)
                        except BackupUnderWay as busy:
                            self._only_intended = True
                            self._log_new(str(busy).rstrip("."))
                            return None
                        clean_up.settled()
                        return commit
                if not isinstance(placement, FitsExtended):
                    self._log_new(placement.reason)
                    return None
                if extended or not self._attachments.extend_if_unused(name, placement.gib):
                    self._log_new("the parent's is too small and in use")
                    return None
                LOG.info("Container %s was extended to %s GiB.", name, placement.gib)
                extended = True

    def _placement(self, home: Container, parent: BackupReader) -> Placement:
        if home.is_full:
            return StartsNew("the parent's has the maximum number of entries")
        return place_in_parents(
            home.tail,
            home.device.size,
            worst_case(self._source.size, parent.commit.geometry),
            self._backend.settings.container_max_gib,
        )

    def _into_new_container(self, parent: Location | None) -> Commit:
        name = naming.container_name(self._backup.id)
        if parent is None:
            geometry = self._backend.settings.geometry
            return self._start_container(name, naming.chain_of_first(name), geometry, None)
        with self._parent_opened(parent, writable=False) as (home, reader):
            chain = naming.chain_in(self._attachments.find(parent.container))
            return self._start_container(
                name,
                chain,
                reader.commit.geometry,
                reader,
                # Either its deletion has seen the new container, or we see that it is deleted.
                lambda: in_native_thread(home.require, parent.backup_id),
            )

    def _start_container(
        self,
        name: str,
        chain: str,
        geometry: Geometry,
        parent: BackupReader | None,
        require_parent: Callable[[], None] = lambda: None,
    ) -> Commit:
        need = worst_case(self._source.size, geometry)
        gib = new_container_gib(need, self._backend.settings.container_max_gib)
        # Before the record names it: of a container in a tenant that never was, nothing could prove
        # that it is deleted. Nor is one made anywhere else, for it would prove that by being empty.
        self._tenant.ensure()
        lock = writer_lock(name)
        committed: list[Commit] = []
        with CleanUp(f"Backup {self._backup.id}") as clean_up:
            lock.acquire(LOCK_SECONDS)
            clean_up.add(f"release the lock of container {name}", lock.release)
            self._only_intended = False
            try:
                self._claim(name)
            except BaseException:
                # A deletion that came first read no container in the record, and removes no lock.
                lock.remove()
                raise
            try:
                containers.create(
                    self._backend,
                    self._tenant,
                    name,
                    gib,
                    naming.description(self._backup.volume_id, chain, self._label),
                )
            except DateraError:
                # It may be there all the same, and what is new is online.
                self._attachments.close_with_next_use(name)
                raise
            # A commit outlives a failure to detach: what is good is not thrown away.
            clean_up.add(
                f"remove the new container {name}", lambda: self._remove(name, bool(committed))
            )
            self._still(require_parent)
            with containers.formatted(self._attachments, name) as home:
                committed.append(self._append(home, parent, lock))
            clean_up.settled()
        return committed[0]

    @staticmethod
    def _still(require_parent: Callable[[], None]) -> None:
        try:
            require_parent()
        except BackupNotInContainer as gone:
            raise ParentUnusable(reason=f"{gone}; take a full backup") from gone

    def _remove(self, name: str, holds_commit: bool) -> None:
        if holds_commit:
            return
        try:
            self._attachments.delete(name)
        except ContainerGone:
            LOG.debug("The new container %s was already gone.", name)
        remove_locks(name)

    def _log_new(self, reason: str) -> None:
        LOG.info("Backup %s starts a new container, because %s.", self._backup.id, reason)

    # Writing

    def _claim(self, name: str) -> None:
        """Write down where the backup is going to be; from here on a deletion waits for us."""
        try:
            cinder_record.claim(self._backup, self._tenant.path, name)
        except exception.BackupNotFound:
            LOG.debug("The record of backup %s is gone.", self._backup.id)
        self._watch.check()

    def _unclaim(self, parent: Location) -> None:
        """Nothing of the backup is in its parent's container, so that the record need not say so.

        It would keep a container that cannot be read from being deleted.
        """
        if not self._only_intended or self._attachments.has_left_open(parent.container):
            return
        try:
            cinder_record.unclaim(self._backup, self._label)
        except exception.BackupNotFound:
            LOG.debug("The record of backup %s is gone.", self._backup.id)

    def _append(self, home: Container, parent: BackupReader | None, lock: CloudLock) -> Commit:
        geometry = self._backend.settings.geometry if parent is None else parent.commit.geometry
        new = NewBackup(
            backup_id=self._backup_id,
            volume_id=self._backup.volume_id,
            source_size=self._source.size,
            geometry=geometry,
            codec=self._backend.settings.engine.codec,
            metadata=self._metadata,
        )
        states = cinder_record.states_of(self._context, self._backup.container, home.begun)
        living = {one for one, state in states.items() if state in cinder_record.LIVING}
        if home.may_be_stale:
            # The superblock cannot be believed alone. Seldom, because the whole table is searched.
            living |= cinder_record.living_in(self._context, self._backup.container)
        ended = {one for one, state in states.items() if state in cinder_record.ENDED}
        writer = in_native_thread(home.begin, new, living=living, ended=ended, parent=parent)
        with CleanUp(f"Backup {self._backup.id}") as clean_up:
            clean_up.add("discard what was written of it", lambda: self._drop(home, lock))
            job = BackupJob(self._source, writer, self._backend.settings.engine)
            commit = run(job, Guarded(self._watch, lock.require))
            clean_up.forget()
        lock.require()
        containers.repaired(home)
        return commit

    def _drop(self, home: Container, lock: CloudLock) -> None:
        lock.require()  # the lock's holder may be changing the superblock
        try:
            # What others have deleted is not given back here: that takes the whole chain.
            in_native_thread(home.doom, self._backup_id)
        except BackupNotInContainer:
            LOG.debug("The container has no entry of backup %s.", self._backup.id)

    @contextmanager
    def _parent_opened(
        self, parent: Location, *, writable: bool
    ) -> Iterator[tuple[Container, BackupReader]]:
        with ExitStack() as stack:
            try:
                home = stack.enter_context(
                    containers.opened(self._attachments, parent.container, writable=writable)
                )
                commit = in_native_thread(home.commit_of, parent.backup_id)
                # All of them: what is known to be bad in one is stored anew, and a backup that
                # needs one that is gone would never be whole.
                others = [
                    stack.enter_context(
                        containers.opened(self._attachments, containers.name_of(other))
                    )
                    for other in commit.containers
                    if other != home.id
                ]
                reader = in_native_thread(BackupReader, home, parent.backup_id, others)
            except (ContainerGone, BackupUncommitted, BackupNotInContainer) as missing:
                raise ParentUnusable(reason=f"{missing}; take a full backup") from missing
            yield home, reader
