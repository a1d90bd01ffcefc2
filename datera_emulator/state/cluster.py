# SPDX-License-Identifier: Apache-2.0
"""The cluster: its whole state, in memory and on disk, under one lock."""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datera_emulator.documents import Document
from datera_emulator.errors import NotFound
from datera_emulator.faults.plan import LoginFaults
from datera_emulator.state.counters import Counters
from datera_emulator.state.files import DataFiles
from datera_emulator.state.index import Index
from datera_emulator.state.kinds import KINDS, kind_name
from datera_emulator.state.lockouts import Lockouts
from datera_emulator.state.model import (
    AppInstance,
    Initiator,
    InitiatorGroup,
    IpPool,
    PlacementPolicy,
    StorageInstance,
    StorageNode,
    Tenant,
    Volume,
    document_of,
)
from datera_emulator.state.sessions import Sessions
from datera_emulator.state.space import SpaceInUse
from datera_emulator.state.store import Key, Store
from datera_emulator.state.template_model import AppTemplate
from datera_emulator.state.tenancy import ROOT, ancestors, canonical
from datera_emulator.state.tokens import Tokens
from datera_emulator.state.users import ADMIN, Directories, User
from datera_emulator.switches import Switches, product_version


class Cluster:
    """The state that tests read, and that the routes change.

    Read and change it while holding :attr:`lock`. A change is made by changing the objects and
    naming them with :meth:`save` or :meth:`forget`; :meth:`transaction` commits what was named.

    :param username: an administrator that always exists; ``password`` is for the first start.
    :param directories: the users that may log in with ``remote_server``.
    :param clock_ns: nanoseconds since 1970; names snapshots and lets keys expire.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        switches: Switches | None = None,
        sw_version: str = "3.3.0.0",
        username: str = "admin",
        password: str = "password",  # noqa: S107 -- what the documentation promises
        directories: Directories | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.directories = directories or {}
        self.switches = switches or Switches()
        self.sw_version = sw_version
        self.product = product_version(sw_version)
        self.username = username
        self.clock_ns = clock_ns
        self.started_ns = clock_ns()
        self.lock = threading.RLock()
        self.counters = Counters()
        self.sessions = Sessions()
        self.tokens = Tokens(
            clock_ns,
            self.switches.key_lifetime_seconds,
            idle=self.switches.key_expiry == "idle",
        )
        self.lockouts = Lockouts(
            clock_ns, self.switches.lockout_failures, self.switches.lockout_seconds
        )
        self.login_faults = LoginFaults()
        self.portals: list[str] = []
        self.app_instances: dict[str, AppInstance] = {}
        self.app_templates: dict[tuple[str, str], AppTemplate] = {}
        self.initiators: dict[tuple[str, str], Initiator] = {}
        self.initiator_groups: dict[tuple[str, str], InitiatorGroup] = {}
        self.tenants: dict[str, Tenant] = {}
        self.ip_pools: dict[str, IpPool] = {}
        self.placement_policies: dict[str, PlacementPolicy] = {}
        self.storage_nodes: dict[str, StorageNode] = {}
        self.users: dict[str, User] = {}
        self.identity: Document = {}
        self.index = Index()
        self.on_commit: list[Callable[[], None]] = []
        """Called after each change, with the lock held."""
        self._changes: dict[Key, Any] = {}
        self._doomed_files: list[str] = []
        self._new_files: list[str] = []
        state_dir.mkdir(parents=True, exist_ok=True)
        self.files = DataFiles(state_dir / "data")
        self.space = SpaceInUse(
            self.app_instances,
            self.files,
            self.index,
            self.sessions,
            counts_replicas=self.switches.provisioned_counts_replicas,
        )
        self._store = Store(state_dir / "cluster.sqlite")
        self._built_in = (
            Tenant(ROOT),
            IpPool("default"),
            PlacementPolicy("default"),
            User(username, "Administrator", password, roles=[ADMIN]),
        )
        self._load()

    # -- reading it ------------------------------------------------------------------------

    def app_instance(self, tenant: str, name_or_id: str) -> AppInstance:
        """Return a tenant's app instance.

        :raises NotFound: the tenant has none of this name or id.
        """
        identity = self.index.named(tenant, name_or_id) or name_or_id
        found = self.app_instances.get(identity)
        if found is None or found.tenant != tenant:
            raise NotFound(f"No app instance {name_or_id} in tenant {tenant}")
        return found

    def app_instance_named(self, tenant: str, name: str) -> AppInstance | None:
        """Return the tenant's app instance of exactly this name, if there is one."""
        identity = self.index.named(tenant, name)
        return None if identity is None else self.app_instances[identity]

    def app_instance_holding(self, tenant: str, name: str) -> AppInstance | None:
        """Return the app instance that already has a name, where names are unique."""
        if self.switches.app_instance_names == "tenant":
            return self.app_instance_named(tenant, name)
        identity = self.index.named_anywhere(name)
        return None if identity is None else self.app_instances[identity]

    def app_instances_of(self, tenant: str) -> list[AppInstance]:
        """Return a tenant's app instances, the oldest first."""
        return [self.app_instances[identity] for identity in self.index.of_tenant(tenant)]

    def target(self, iqn: str) -> tuple[AppInstance, StorageInstance] | None:
        """Return the app instance and the storage instance of an IQN."""
        where = self.index.behind(iqn)
        if where is None:
            return None
        instance = self.app_instances[where[0]]
        return instance, instance.storage_instances[where[1]]

    def volumes(self) -> Iterator[Volume]:
        """Yield every volume."""
        for instance in self.app_instances.values():
            for _, volume in instance.volumes():
                yield volume

    def nodes_of(self, volume: Volume) -> list[StorageNode]:
        """Return the nodes of a volume's replicas."""
        nodes = self.identity["cluster"]["nodes"][: volume.replica_count]
        return [self.storage_nodes[node] for node in nodes]

    def initiator_id(self, identity: str) -> str:
        """Return the ID for an initiator's name, folded to lower case if the switches say so."""
        # RFC 3722: iSCSI names are kept in lower case.
        return identity.lower() if self.switches.initiator_case == "folded" else identity

    def initiator(self, tenant: str, identity: str) -> Initiator:
        """Return the initiator that a tenant sees under an id: its own, else one from above.

        :raises NotFound: neither has one.
        """
        identity = self.initiator_id(identity)
        for place in (tenant, *ancestors(tenant)):
            if (place, identity) in self.initiators:
                return self.initiators[place, identity]
        raise NotFound(f"No initiator {identity} in tenant {tenant}")

    def app_template(self, tenant: str, name: str) -> AppTemplate:
        """Return the app template that a tenant sees under a name: its own, else one from above.

        :raises NotFound: there is none.
        """
        for place in (tenant, *ancestors(tenant)):
            if (place, name) in self.app_templates:
                return self.app_templates[place, name]
        raise NotFound(f"No app template {name} in tenant {tenant}")

    def tenant(self, path: str) -> Tenant:
        """Return a tenant by any spelling of its path.

        :raises NotFound: there is no such tenant.
        """
        found = self.tenants.get(canonical(path))
        if found is None:
            raise NotFound(f"No tenant {canonical(path)}")
        return found

    # -- changing it -----------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock, and commit what was saved when the block ends well.

        Routes check first and change last, so a block that fails has changed nothing; and what
        was saved but cannot be committed is rolled back.

        :raises sqlite3.Error: the store could not be written.
        """
        with self.lock:
            changed = False
            try:
                yield
                changed = bool(self._changes)
                if changed:
                    self._store.write(
                        (key, None if thing is None else document_of(thing))
                        for key, thing in self._changes.items()
                    )
                # Files go last: a crash in between leaves an orphan, never a volume without data.
                for name in self._doomed_files:
                    self.files.delete(name)
            except BaseException:
                for (kind, identity), thing in self._changes.items():
                    self._put_back(kind, identity, thing)
                for name in self._new_files:
                    self.files.delete(name)
                raise
            finally:
                self._changes.clear()
                self._doomed_files.clear()
                self._new_files.clear()
            if changed:
                for hear in self.on_commit:
                    hear()

    def save(self, thing: object) -> None:
        """Let the transaction commit an object's current state."""
        self._changes[kind_name(thing), self._enter(thing)] = thing

    def new_file(self, size: int) -> str:
        """Create a file that is removed if the transaction fails; see :meth:`.DataFiles.create`."""
        self._new_files.append(self.files.create(size))
        return self._new_files[-1]

    def copied_file(self, source: str, size: int) -> str:
        """Copy a file into one that is removed if the transaction fails; see `DataFiles.copy`."""
        self._new_files.append(self.files.copy(source, size))
        return self._new_files[-1]

    def forget(self, thing: object) -> None:
        """Remove an object; its files go when the transaction has been committed."""
        kind = KINDS[kind_name(thing)]
        if isinstance(thing, AppInstance):
            self.index.remove(thing.id)
            for storage in thing.storage_instances.values():
                self.drop_sessions(storage)
            for _, volume in thing.volumes():
                self.doom(volume)
        del getattr(self, kind.table)[kind.key(thing)]
        self._changes[kind_name(thing), kind.identity(thing)] = None

    def doom(self, volume: Volume) -> None:
        """Delete a volume's files, its snapshots' too, when the transaction commits."""
        self._doomed_files.append(volume.file)
        self._doomed_files.extend(snapshot.file for snapshot in volume.snapshots.values())

    def doom_file(self, name: str) -> None:
        """Delete one file when the transaction commits."""
        self._doomed_files.append(name)

    def drop_sessions(self, storage: StorageInstance) -> None:
        """End every session of a storage instance."""
        self.sessions.drop(lambda session: session.iqn == storage.iqn)

    def reset(self) -> None:
        """Reset to the state after the first start: no data, sessions, keys or counts.

        :raises sqlite3.Error: the store could not be written; all is as it was.
        """
        with self.transaction():
            for kind in KINDS.values():
                for thing in list(getattr(self, kind.table).values()):
                    self.forget(thing)
            self._save_built_in()
        self.tokens.revoke_all()
        self.lockouts.clear()
        self.counters.reset()

    def close(self) -> None:
        """Close the store. What was acknowledged is on disk already."""
        with self.lock:
            self._store.close()

    # -- inside ----------------------------------------------------------------------------

    def _enter(self, thing: object) -> str:
        kind = KINDS[kind_name(thing)]
        getattr(self, kind.table)[kind.key(thing)] = thing
        if isinstance(thing, AppInstance):
            self.index.put(thing)
        return kind.identity(thing)

    def _put_back(self, name: str, identity: str, thing: object | None) -> None:
        kind = KINDS[name]
        document = self._store.read_one(name, identity)
        if document is not None:
            self._enter(kind.make(document))
        elif thing is not None:  # it was new
            del getattr(self, kind.table)[kind.key(thing)]
            if isinstance(thing, AppInstance):
                self.index.remove(thing.id)

    def _load(self) -> None:
        for identity, document in self._store.read("identity"):
            self.identity[identity] = document
        if "cluster" not in self.identity:
            nodes = [str(uuid.uuid4()) for _ in range(5)]
            self._remember("cluster", {"uuid": str(uuid.uuid4()), "nodes": nodes})
        for name, kind in KINDS.items():
            for _, document in self._store.read(name):
                self._enter(kind.make(document))
        with self.transaction():
            self._save_built_in()
        self._heal_files()

    def _save_built_in(self) -> None:
        ids = self.identity["cluster"]["nodes"]
        nodes = [StorageNode(one, number) for number, one in enumerate(ids, 1)]
        built_ins: tuple[Any, ...] = (*self._built_in, *nodes)
        for built_in in built_ins:
            kind = KINDS[kind_name(built_in)]
            if kind.key(built_in) not in getattr(self, kind.table):
                self.save(dataclasses.replace(built_in))

    def remember_portals(self, portals: list[str]) -> None:
        """Keep the portals' addresses, so that a restart may take the same ones again."""
        self.portals = portals
        self._remember("portals", {"addresses": portals})

    def former_portals(self) -> list[str]:
        """Return the addresses that :meth:`remember_portals` kept."""
        return list(self.identity.get("portals", {}).get("addresses", []))

    def _remember(self, name: str, document: Document) -> None:
        with self.lock:
            self.identity[name] = document
            self._store.write([(("identity", name), document)])

    def _heal_files(self) -> None:
        """Undo changes to files of requests that were never committed."""
        known: set[str] = set()
        for volume in self.volumes():
            known.add(volume.file)
            known.update(snapshot.file for snapshot in volume.snapshots.values())
            self.files.resize(volume.file, volume.size_bytes)
        for name in self.files.names():
            if name not in known:
                self.files.delete(name)
