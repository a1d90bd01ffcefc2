# SPDX-License-Identifier: Apache-2.0
"""Attach containers to this host, for as long as somebody here uses them.

Several operations of a process, and several processes of a host, may use one container at once: a
backup appends to it while restores read from it. os-brick's disconnect would take the device away
from all of them. So the operations of a process are counted, processes share a lock on the host,
and only the last one out detaches. A container's access list holds exactly the hosts that use it,
and it is offline while there are none.

Whoever has used a container is done when its block ends: a failure to detach it is logged, noted in
:mod:`datera_backup.leftovers`, and tried again at once and by the next use of the cluster.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from oslo_log import log as logging

from datera_backup import absence, leftovers, naming
from datera_backup.errors import AttachFailed, ContainerBusy, ContainerGone, NotOurs
from datera_backup.host import (
    Connected,
    Initiator,
    connect,
    disconnect_leftover,
    open_device,
    this_initiator,
)
from datera_backup.locks import HostLock, access_lock, pauses
from datera_backup.undo import Undo
from datera_volume.connection import AppInstance, NotOnCluster, Tenant

LOG = logging.getLogger(__name__)

ACCESS_SECONDS = 300.0
"""How long others may take to change a container's access list before we give up."""

LEAVE_SECONDS = 60.0
"""How long a deletion waits for those who still read from the container."""


@dataclass
class _Use:
    """What this process has of one container."""

    mutex: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    interested: int = 0
    host_lock: HostLock | None = None
    initiator: Initiator | None = None
    connected: Connected | None = None


LEFTOVER_SECONDS = 5.0
"""How long to wait for others before what a dead process left is left to the next user."""

_GUARD = threading.Lock()
_USES: dict[tuple[str, str, str], _Use] = {}


class Attachments:
    """Containers of one tenant, attached to this host.

    :param address: the cluster's host and port, which tells clusters apart.
    """

    def __init__(
        self,
        tenant: Tenant,
        address: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tenant = tenant
        self._address = address
        self._place = leftovers.Place(address, tenant.path)
        self._sleep = sleep
        self._clock = clock

    def find(self, name: str) -> AppInstance:
        """Return the container of this name.

        :raises ContainerGone: it is proven not to be in the tenant.
        :raises AbsenceUnproven: whether it is gone is not known.
        :raises NotOurs: something else of that name is.
        """
        ai = absence.found(self._tenant, name, self._address)
        if not naming.is_ours(ai):
            raise NotOurs(
                f"App instance {name} on {self._address} was not made by the backup driver "
                f"(description {ai.descr!r}); it is left alone"
            )
        return ai

    def chain_of(self, name: str) -> list[str]:
        """Return all containers of the chain that this one belongs to, as the cluster lists them.

        :raises ContainerGone: it is proven not to be in the tenant.
        :raises AbsenceUnproven: whether it is gone is not known.
        """
        chain = naming.chain_in(self.find(name))
        found = {
            ai.name
            # What one list lacks is not proven to be absent.
            for _listing in range(absence.LISTINGS)
            for ai in self._tenant.app_instances()
            if naming.is_ours(ai) and naming.chain_in(ai) == chain
        }
        return sorted(found | {name})

    @contextmanager
    def opened(self, name: str, *, writable: bool = False) -> Iterator[int]:
        """Attach the container while the block runs, and hand out a descriptor of its device.

        Where the block goes well, so does this, even if detaching fails.

        :raises ContainerGone: it is proven not to be in the tenant.
        :raises AbsenceUnproven: whether it is gone is not known.
        :raises NotOurs: something else of that name is.
        :raises AttachFailed: it could not be attached or opened.
        """
        self.clear_leftovers()
        with Undo(f"Container {name}") as undo:
            undo.add("close what was left open", lambda: self._close_if_noted(name))
            path = self._enter(name)
            undo.add("detach it", lambda: self._leave(name))
            descriptor = open_device(path, writable=writable)
            undo.add("close its device", lambda: os.close(descriptor))
            yield descriptor
            undo.settled()

    def extend_if_unused(self, name: str, gib: int) -> bool:
        """Grow the container's volume to ``gib``, if nobody on any host uses it now."""
        with self._use(name) as use, use.mutex:
            if use.users:
                return False
            with self._alone_on_host(name) as alone:
                if not alone:
                    return False
                with access_lock(name, ACCESS_SECONDS, sleep=self._sleep):
                    ai = self._clear_leftovers(self.find(name))
                    if _someone_in(ai):
                        return False
                    if ai.online:
                        ai = self._tenant.set_offline(ai)
                    self._tenant.resize_volume(ai.volume, gib)
        return True

    def clear_leftovers(self) -> None:
        """Close what this process could not close, and what others left here when they died.

        The latter is looked for at a process's first use of the tenant. The cluster is asked once
        and not waited for; what goes wrong is logged, and the next call tries it again.
        """
        hasty = self._asking_once()
        for name in leftovers.noted(self._place):
            hasty._clear_if_unused(name)
        if not leftovers.begin_sweep(self._place):
            return
        try:
            hasty._sweep()
        except NotOnCluster as missing:
            # A tenant that nobody has made yet has no leftovers.
            LOG.debug("Leftovers of this host are not looked for: %s", missing)
            leftovers.repeat_sweep(self._place)
        except Exception as failure:
            LOG.warning(
                "Leftovers of this host in tenant %s of %s are not looked for: %s",
                self._tenant.path,
                self._address,
                failure,
            )
            leftovers.repeat_sweep(self._place)

    def has_left_open(self, name: str) -> bool:
        """Whether this process has still to close the container."""
        return name in leftovers.noted(self._place)

    def delete(self, name: str) -> None:
        """Delete the container, once nobody uses it any more.

        :raises ContainerGone: it is proven not to be in the tenant.
        :raises AbsenceUnproven: whether it is gone is not known.
        :raises NotOurs: something else of that name is.
        :raises ContainerBusy: an operation on this host went on using it.
        """
        deadline = self._clock() + LEAVE_SECONDS
        for pause in pauses():
            if self._delete_if_unused(name, deadline):
                return
            if self._clock() >= deadline:
                raise ContainerBusy(
                    f"Container {name} is not deleted: an operation on this host still uses it"
                )
            self._sleep(pause)

    # One process's way in and out

    def _enter(self, name: str) -> str:
        with self._use(name) as use, use.mutex:
            if use.connected is None:
                self._attach(name, use)
            use.users += 1
            assert use.connected is not None  # noqa: S101 - what _attach promises
            return use.connected.path

    def _leave(self, name: str) -> None:
        with self._use(name) as use, use.mutex:
            use.users -= 1
            if not use.users:
                self._detach(name, use)

    def _attach(self, name: str, use: _Use) -> None:
        initiator = this_initiator()
        host_lock = HostLock(name, sleep=self._sleep)
        if not host_lock.share(ACCESS_SECONDS):
            raise AttachFailed(f"Another process of this host keeps container {name} to itself")
        with Undo(f"Attaching container {name}") as undo:
            undo.add("withdraw from it", lambda: self._withdraw(name, host_lock, initiator, None))
            with access_lock(name, ACCESS_SECONDS, sleep=self._sleep):
                ai = self.find(name)
                self._tenant.allow_initiator(ai.storage_instance, initiator.iqn, initiator.name)
                if not ai.available:
                    ai = self._tenant.set_online(ai)
            use.connected = connect(ai.storage_instance, initiator, sleep=self._sleep)
            use.host_lock, use.initiator = host_lock, initiator
            undo.forget()

    def _detach(self, name: str, use: _Use) -> None:
        connected, initiator, host_lock = use.connected, use.initiator, use.host_lock
        use.connected = use.initiator = use.host_lock = None
        if initiator is not None and host_lock is not None:
            self._withdraw(name, host_lock, initiator, connected)

    def _withdraw(
        self, name: str, host_lock: HostLock, initiator: Initiator, connected: Connected | None
    ) -> None:
        # Until this has come to its end, somebody has to try it again.
        leftovers.note(self._place, name)
        with Undo(f"Container {name}") as undo:
            host_lock.release()
            # Between these two lines another process of this host may leave or enter. Whoever is
            # the only one then detaches; one that enters waits for the lock and attaches anew.
            if host_lock.try_alone():
                undo.add("release its lock on this host", host_lock.release)
                # Its access list goes on naming this host until the device is removed.
                if connected is not None:
                    connected.disconnect()
                self._close(name, initiator, host_lock)
        leftovers.strike(self._place, name)

    def _close(self, name: str, initiator: Initiator, host_lock: HostLock) -> None:
        try:
            with access_lock(name, ACCESS_SECONDS, sleep=self._sleep):
                self._deny(self.find(name), initiator)
        except ContainerGone:
            host_lock.remove()
        except NotOurs:
            LOG.debug("Container %s needs no closing any more.", name)

    def _close_if_noted(self, name: str) -> None:
        if self.has_left_open(name):
            self._asking_once()._clear_if_unused(name)

    def _asking_once(self) -> Attachments:
        return Attachments(
            self._tenant.at_once(), self._address, sleep=self._sleep, clock=self._clock
        )

    def _deny(self, ai: AppInstance, initiator: Initiator) -> AppInstance:
        self._tenant.deny_initiator(ai.storage_instance, initiator.iqn)
        ai = self._tenant.app_instance(ai.id)
        if ai.online and not _someone_in(ai):
            ai = self._tenant.set_offline(ai)
        return ai

    # While nobody on this host uses it

    def _delete_if_unused(self, name: str, deadline: float) -> bool:
        with self._use(name) as use, use.mutex:
            if use.users:
                return False
            with self._alone_on_host(name) as alone:
                if not alone:
                    return False
                with access_lock(name, ACCESS_SECONDS, sleep=self._sleep):
                    ai = self._clear_leftovers(self.find(name))
                    if _someone_in(ai):
                        if self._clock() < deadline:
                            return False
                        # A host that died stays in the list for ever; it must not keep the
                        # container alive. One that lives has had its time to notice.
                        LOG.warning(
                            "Container %s is deleted although %s may still use it.",
                            name,
                            ", ".join(ai.storage_instance.initiators),
                        )
                    self._delete(ai)
                HostLock(name).remove()
        leftovers.strike(self._place, name)
        return True

    def _delete(self, ai: AppInstance) -> None:
        try:
            self._tenant.delete_app_instance(ai)
        except NotOnCluster:
            with suppress(ContainerGone):
                self.find(ai.name)
                raise

    def _sweep(self) -> None:
        initiator = this_initiator()
        for ai in self._tenant.app_instances(naming.ANY_CONTAINER):
            if naming.is_ours(ai) and _left_behind(ai, initiator):
                self._clear_if_unused(ai.name)

    def _clear_if_unused(self, name: str) -> None:
        try:
            with self._use(name) as use, use.mutex:
                if use.users:
                    return
                with self._alone_on_host(name) as alone:
                    if not alone:
                        return
                    with access_lock(name, LEFTOVER_SECONDS, sleep=self._sleep):
                        ai = self._clear_leftovers(self.find(name))
                        # Whoever is about to use it waits for the lock, and sets it online again.
                        if ai.online and not _someone_in(ai):
                            self._tenant.set_offline(ai)
        except (ContainerGone, NotOurs) as gone:
            LOG.debug("Nothing to close: %s", gone)
        except Exception as failure:
            LOG.warning(
                "Container %s was left open and could not be closed; the next use of the cluster "
                "tries again: %s",
                name,
                failure,
            )
            leftovers.note(self._place, name)
            return
        leftovers.strike(self._place, name)

    def _clear_leftovers(self, ai: AppInstance) -> AppInstance:
        """Take away what a process of this host left when it died; nobody here uses ``ai`` now."""
        if not ai.storage_instance.initiators:
            return ai
        initiator = this_initiator()
        if initiator.iqn not in ai.storage_instance.initiators:
            return ai
        LOG.warning("Container %s was left attached to this host; cleaning that up.", ai.name)
        try:
            disconnect_leftover(ai.storage_instance, initiator)
        except Exception as failure:
            # It was tried before. What nobody uses does not stay open for it.
            LOG.warning("A device of container %s may be left here: %s", ai.name, failure)
        return self._deny(ai, initiator)

    @contextmanager
    def _alone_on_host(self, name: str) -> Iterator[bool]:
        lock = HostLock(name, sleep=self._sleep)
        alone = lock.try_alone()
        try:
            yield alone
        except ContainerGone:
            if alone:
                lock.remove()
            raise
        finally:
            if alone:
                lock.release()

    @contextmanager
    def _use(self, name: str) -> Iterator[_Use]:
        key = (self._address, self._tenant.path, name)
        with _GUARD:
            use = _USES.setdefault(key, _Use())
            use.interested += 1
        try:
            yield use
        finally:
            with _GUARD:
                use.interested -= 1
                if not use.interested and not use.users:
                    _USES.pop(key, None)


def _left_behind(ai: AppInstance, initiator: Initiator) -> bool:
    mine = any(initiator.iqn in si.initiators for si in ai.storage_instances)
    return mine or (ai.online and not _someone_in(ai))


def _someone_in(ai: AppInstance) -> bool:
    return any(si.initiators or si.initiator_groups for si in ai.storage_instances)
