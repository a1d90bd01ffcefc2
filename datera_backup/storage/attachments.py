# SPDX-License-Identifier: Apache-2.0
"""Attach containers to this host while an operation uses them.

Several operations of a process, and several processes of a host, may use one container at once: a
backup appends to it while restores read from it. os-brick's disconnect would take the device away
from all of them. So the operations of a process are counted, processes share a lock on the host,
and only the last one out detaches. A container's access list holds exactly the hosts that use it,
and it is offline while there are none.

A failure to detach a container does not fail the operation that used it: it is logged, recorded in
:mod:`datera_backup.storage.leftovers`, and retried at once and by the next use of the cluster.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from oslo_log import log as logging

from datera_backup import naming
from datera_backup.clean_up import CleanUp
from datera_backup.errors import AttachFailed, ContainerBusy, ContainerGone, NotOurs
from datera_backup.storage import absence, access, leftovers
from datera_backup.storage.host import (
    Connected,
    Initiator,
    connect,
    disconnect_leftover,
    open_device,
    this_initiator,
)
from datera_backup.storage.locks import HostLock, access_lock
from datera_backup.storage.uses import Use, use_of
from datera_volume.connection import (
    ABSENCE_LISTINGS,
    AppInstance,
    NotOnCluster,
    Tenant,
    growing_intervals,
)

LOG = logging.getLogger(__name__)

ACCESS_SECONDS = 300.0
"""How long others may take to change a container's access list before we give up."""

LEAVE_SECONDS = 60.0
"""How long a deletion waits for those who still read from the container."""


LEFTOVER_SECONDS = 5.0
"""How long to wait for others before what a dead process left is left to the next user."""


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
        :raises ContainerAbsenceUnproven: it is unknown whether it was deleted.
        :raises NotOurs: something else of that name is.
        """
        ai = absence.found(self._tenant, name, self._address)
        if not naming.is_ours(ai):
            raise NotOurs(
                f"App instance {name} on {self._address} was not made by the backup driver "
                f"(description {ai.descr!r}); it is not touched"
            )
        return ai

    def chain_of(self, name: str) -> list[str]:
        """Return all containers of the chain that this one belongs to, as the cluster lists them.

        :raises ContainerGone: it is proven not to be in the tenant.
        :raises ContainerAbsenceUnproven: it is unknown whether it was deleted.
        """
        chain = naming.chain_in(self.find(name))
        found = {
            ai.name
            # What one list lacks is not proven to be absent.
            for _listing in range(ABSENCE_LISTINGS)
            for ai in self._tenant.app_instances()
            if naming.is_ours(ai) and naming.chain_in(ai) == chain
        }
        return sorted(found | {name})

    @contextmanager
    def opened(self, name: str, *, writable: bool = False) -> Iterator[int]:
        """Attach the container while the block runs, and hand out a descriptor of its device.

        Where the block goes well, so does this, even if detaching fails.

        :raises ContainerGone: it is proven not to be in the tenant.
        :raises ContainerAbsenceUnproven: it is unknown whether it was deleted.
        :raises NotOurs: something else of that name is.
        :raises AttachFailed: it could not be attached or opened.
        """
        self.clear_leftovers()
        with CleanUp(f"Container {name}") as clean_up:
            clean_up.add("clean up the leftover attachment", lambda: self._close_if_noted(name))
            path = self._enter(name)
            clean_up.add("detach it", lambda: self._leave(name))
            descriptor = open_device(path, writable=writable)
            clean_up.add("close its device", lambda: os.close(descriptor))
            yield descriptor
            clean_up.settled()

    def extend_if_unused(self, name: str, gib: int) -> bool:
        """Extend the container's volume to ``gib``, unless a host uses it now."""
        with self._unused_here(name) as unused:
            if not unused:
                return False
            with access_lock(name, ACCESS_SECONDS, sleep=self._sleep):
                ai = self._clear_leftovers(self.find(name))
                if ai.has_initiators:
                    return False
                if ai.online:
                    ai = self._tenant.set_offline(ai)
                self._tenant.resize_volume(ai.volume, gib)
        return True

    def clear_leftovers(self) -> None:
        """Detach what this process could not detach, and what crashed processes left attached here.

        The latter is looked for at a process's first use of the tenant. Requests are not retried;
        a failure is logged, and the next call tries again.
        """
        hasty = self._asking_once()
        for name in leftovers.noted(self._place):
            hasty._clear_if_unused(name)
        if not leftovers.begin_sweep(self._place):
            return
        try:
            hasty._sweep()
        except NotOnCluster as missing:
            # A tenant that does not exist yet has no leftovers.
            LOG.debug("Not looking for leftover attachments of this host: %s", missing)
            leftovers.repeat_sweep(self._place)
        except Exception as failure:
            LOG.warning(
                "Leftover attachments of this host in tenant %s of %s cannot be looked for: %s",
                self._tenant.path,
                self._address,
                failure,
            )
            leftovers.repeat_sweep(self._place)

    def close_with_next_use(self, name: str) -> None:
        """Let the process's next use of the cluster close the container, if it is there."""
        leftovers.note(self._place, name)

    def has_left_open(self, name: str) -> bool:
        """Whether this process still has to detach the container."""
        return name in leftovers.noted(self._place)

    def delete(self, name: str) -> None:
        """Wait until the container is not in use, and delete it.

        :raises ContainerGone: it is proven not to be in the tenant.
        :raises ContainerAbsenceUnproven: it is unknown whether it was deleted.
        :raises NotOurs: something else of that name is.
        :raises ContainerBusy: an operation on this host went on using it.
        """
        deadline = self._clock() + LEAVE_SECONDS
        for pause in growing_intervals():
            if self._delete_if_unused(name, deadline):
                return
            if self._clock() >= deadline:
                raise ContainerBusy(
                    f"Container {name} is not deleted: an operation on this host still uses it"
                )
            self._sleep(pause)

    # One process's way in and out

    def _enter(self, name: str) -> str:
        with use_of(self._place, name) as use:
            if use.connected is None:
                self._attach(name, use)
            use.users += 1
            assert use.connected is not None  # noqa: S101 - what _attach promises
            return use.connected.path

    def _leave(self, name: str) -> None:
        with use_of(self._place, name) as use:
            use.users -= 1
            if not use.users:
                self._detach(name, use)

    def _attach(self, name: str, use: Use) -> None:
        initiator = this_initiator()
        host_lock = HostLock(name, sleep=self._sleep)
        if not host_lock.share(ACCESS_SECONDS):
            raise AttachFailed(f"Another process of this host holds container {name} exclusively")
        with CleanUp(f"Attaching container {name}") as clean_up:
            clean_up.add(
                "detach it", lambda: self._withdraw(name, host_lock, initiator, None, None)
            )
            with access_lock(name, ACCESS_SECONDS, sleep=self._sleep):
                ai = self.find(name)
                self._tenant.allow_initiator(ai.storage_instance, initiator.iqn, initiator.name)
                if not ai.available:
                    ai = self._tenant.set_online(ai)
            use.connected = connect(ai.storage_instance, initiator, sleep=self._sleep)
            use.host_lock, use.initiator, use.found = host_lock, initiator, ai
            clean_up.forget()

    def _detach(self, name: str, use: Use) -> None:
        connected, initiator, host_lock = use.connected, use.initiator, use.host_lock
        found = use.found
        use.connected = use.initiator = use.host_lock = use.found = None
        if initiator is not None and host_lock is not None:
            self._withdraw(name, host_lock, initiator, connected, found)

    def _withdraw(
        self,
        name: str,
        host_lock: HostLock,
        initiator: Initiator,
        connected: Connected | None,
        found: AppInstance | None,
    ) -> None:
        # Until this is complete, it has to be retried.
        leftovers.note(self._place, name)
        with CleanUp(f"Container {name}") as clean_up:
            host_lock.release()
            # Between these two lines another process of this host may leave or enter. If this
            # one is then alone, it detaches; one that enters waits for the lock and attaches again.
            if host_lock.try_alone():
                clean_up.add("release its lock on this host", host_lock.release)
                # Its access list goes on naming this host until the device is removed.
                if connected is not None:
                    connected.disconnect()
                self._close(name, initiator, host_lock, found)
        leftovers.strike(self._place, name)

    def _close(
        self, name: str, initiator: Initiator, host_lock: HostLock, found: AppInstance | None
    ) -> None:
        try:
            with access_lock(name, ACCESS_SECONDS, sleep=self._sleep):
                if found is None or not access.denied_as_given(self._tenant, found, initiator):
                    access.deny(self._tenant, self.find(name), initiator)
        except ContainerGone:
            host_lock.remove()
        except NotOurs:
            LOG.debug("Container %s needs no detaching any more.", name)

    def _close_if_noted(self, name: str) -> None:
        if self.has_left_open(name):
            self._asking_once()._clear_if_unused(name)

    def _asking_once(self) -> Attachments:
        return Attachments(
            self._tenant.at_once(), self._address, sleep=self._sleep, clock=self._clock
        )

    # While this host does not use it

    def _delete_if_unused(self, name: str, deadline: float) -> bool:
        with self._unused_here(name) as unused:
            if not unused:
                return False
            with access_lock(name, ACCESS_SECONDS, sleep=self._sleep):
                ai = self._clear_leftovers(self.find(name))
                if ai.has_initiators:
                    if self._clock() < deadline:
                        return False
                    # A host that is down stays in the list; it must not prevent the deletion. One
                    # that is up has had its time to notice.
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
            with self._unused_here(name) as unused:
                if not unused:
                    return
                with access_lock(name, LEFTOVER_SECONDS, sleep=self._sleep):
                    ai = self._clear_leftovers(self.find(name))
                    # Whichever operation waits for the lock to use it sets it online again.
                    access.set_offline_if_unused(self._tenant, ai)
        except (ContainerGone, NotOurs) as gone:
            LOG.debug("Nothing to detach: %s", gone)
        except Exception as failure:
            LOG.warning(
                "Container %s was left attached and could not be detached; the next use of the "
                "cluster tries again: %s",
                name,
                failure,
            )
            leftovers.note(self._place, name)
            return
        leftovers.strike(self._place, name)

    def _clear_leftovers(self, ai: AppInstance) -> AppInstance:
        """Detach what a crashed process of this host left attached; it is not in use here now."""
        if not ai.storage_instance.initiators:
            return ai
        initiator = this_initiator()
        if not ai.storage_instance.allows(initiator.iqn):
            return ai
        LOG.warning("Container %s was left attached to this host; cleaning up.", ai.name)
        try:
            disconnect_leftover(ai.storage_instance, initiator)
        except Exception as failure:
            # It was tried before. A container that is not in use is not kept open for it.
            LOG.warning("A device of container %s may be left on this host: %s", ai.name, failure)
        return access.deny(self._tenant, ai, initiator)

    @contextmanager
    def _unused_here(self, name: str) -> Iterator[bool]:
        """Keep this host from using the container while the block runs; False: it is in use."""
        with use_of(self._place, name) as use:
            lock = HostLock(name, sleep=self._sleep)
            unused = not use.users and lock.try_alone()
            try:
                yield unused
            except ContainerGone:
                if unused:
                    lock.remove()
                raise
            finally:
                if unused:
                    lock.release()


def _left_behind(ai: AppInstance, initiator: Initiator) -> bool:
    mine = any(si.allows(initiator.iqn) for si in ai.storage_instances)
    return mine or (ai.online and not ai.has_initiators)
