# SPDX-License-Identifier: Apache-2.0
"""The transport ``tgt``: volumes behind a real iSCSI target, tgtd.

An online storage instance is a target, with its ACL and CHAP; an offline one is not.
Hosts reach tgtd through two portals of the cluster, on port 3260 of two addresses.
"""

from __future__ import annotations

import errno
import logging
import socket
import threading
import uuid
from contextlib import ExitStack
from socketserver import BaseRequestHandler

from datera_emulator.api.render import volume_path
from datera_emulator.rules.passing import attempt
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.conditions import op_state_of
from datera_emulator.state.model import AppInstance, StorageInstance
from datera_emulator.state.sessions import Session
from datera_emulator.target import tgt_relay
from datera_emulator.target.listening import PORT, PortalListener
from datera_emulator.target.portal import random_address
from datera_emulator.target.tgt_daemon import Target, TgtDaemon

LOG = logging.getLogger(__name__)

_ATTEMPTS = 64


class TgtPortals:
    """Two portals, and a tgtd behind them.

    A target's volumes have the size that they had when it was last taken online: tgtd cannot
    extend them. A tgtd that dies is started anew, as a node of a cluster is: hosts log in again.
    """

    def __init__(self, cluster: Cluster, *, networks: int = 2) -> None:
        self._cluster = cluster
        self._networks = networks
        self._daemon = TgtDaemon()
        self._targets: dict[str, Target] = {}
        self._servers: list[_Portal] = []
        self._stopped = False

    def start(self) -> None:
        """Start tgtd, serve what is online, and listen.

        :raises OSError: tgtd cannot be started, or no address is free.
        """
        self._daemon.start()
        try:
            former = self._cluster.former_portals()
            for number in range(self._networks):
                wanted = former[number] if number < len(former) else None
                self._servers.append(self._listen(wanted))
            self._cluster.remember_portals([server.address for server in self._servers])
            with self._cluster.lock:
                self._cluster.on_commit.append(self.follow)
                self.follow()
        except BaseException:
            self.stop()
            raise
        for server in self._servers:
            server.start()
        threading.Thread(target=self._watch, name="datera-emulator-tgtd", daemon=True).start()

    def stop(self) -> None:
        """Stop listening, end every session, and end tgtd."""
        with self._cluster.lock:
            self._stopped = True
            if self.follow in self._cluster.on_commit:
                self._cluster.on_commit.remove(self.follow)
        for server in self._servers:
            server.stop()
        self._servers.clear()
        self._cluster.sessions.drop(lambda _session: True)
        self._daemon.stop()
        self._targets.clear()

    def _watch(self) -> None:
        """Start tgtd anew whenever it dies."""
        while True:
            self._daemon.await_end()
            with self._cluster.lock:
                if self._stopped:
                    return
                LOG.warning("tgtd has died; it is started anew")
                self._targets.clear()
                self._daemon.start()
                self.follow()

    def follow(self) -> None:
        """Make tgtd serve what is online in the cluster, and nothing else.

        Called with the cluster's lock held, after each change.
        """
        wanted = {target.iqn: target for target in self._wanted()}
        for iqn, target in list(self._targets.items()):
            if iqn not in wanted or not _same_but_initiators(target, wanted[iqn]):
                self._daemon.remove(iqn)
                del self._targets[iqn]
        for iqn, target in wanted.items():
            before = self._targets.get(iqn)
            if before is None:
                self._daemon.add(target)
            elif before.initiators != target.initiators:
                self._daemon.change_initiators(before, target)
            self._targets[iqn] = target

    def _wanted(self) -> list[Target]:
        return [
            self._target(instance, storage)
            for instance in self._cluster.app_instances.values()
            for storage in instance.storage_instances.values()
            if instance.admin_state == storage.admin_state == "online"
        ]

    def _target(self, instance: AppInstance, storage: StorageInstance) -> Target:
        groups = self._cluster.initiator_groups
        members = (
            member
            for name in storage.initiator_groups
            if (instance.tenant, name) in groups
            for member in groups[instance.tenant, name].members
        )
        everybody = storage.access_control_mode == "allow_all"
        before = self._targets.get(storage.iqn)
        luns = tuple(
            (str(self._cluster.files.path(volume.file).resolve()), volume.size_bytes)
            for volume in storage.volumes.values()
        )
        if before is not None and [path for path, _ in before.luns] == [path for path, _ in luns]:
            luns = before.luns
        chap = storage.auth.type != "none"
        return Target(
            iqn=storage.iqn,
            luns=luns,
            initiators=None if everybody else frozenset((*storage.initiators, *members)),
            user=storage.auth.target_user_name if chap else "",
            secret=storage.auth.target_pswd if chap else "",
        )

    def _listen(self, wanted: str | None) -> _Portal:
        for _ in range(_ATTEMPTS):
            address, wanted = wanted or random_address(), None
            try:
                return _Portal(address, self._cluster, self._daemon.port)
            except OSError as exc:
                if exc.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
                    raise
        raise OSError(errno.EADDRINUSE, f"no address in 127.0.0.0/8 has port {PORT} free")


def _same_but_initiators(one: Target, other: Target) -> bool:
    # A change from "everybody" to names, or back, needs a new target.
    open_to_all = (one.initiators is None) == (other.initiators is None)
    return open_to_all and (one.luns, one.user, one.secret) == (
        other.luns,
        other.user,
        other.secret,
    )


class _Portal(PortalListener):
    def __init__(self, address: str, cluster: Cluster, target_port: int) -> None:
        self.cluster = cluster
        self.target_port = target_port
        super().__init__(address, _Connection)


class _Connection(BaseRequestHandler):
    """One host's connection, from its login to its end."""

    server: _Portal
    request: socket.socket

    def handle(self) -> None:
        self._wish: tgt_relay.LoginWish | None = None
        self._session = ""
        with ExitStack() as ending:
            try:
                target = socket.create_connection(("127.0.0.1", self.server.target_port))
            except ConnectionRefusedError:
                return  # tgtd is being started anew: the host tries again
            ending.callback(self._forget)
            ending.callback(target.close)
            for one in (self.request, target):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._answer, args=(target,), daemon=True)
            back.start()
            try:
                tgt_relay.to_target(self.request, target, self._admit)
            except (OSError, tgt_relay.ConnectionEnded) as exc:
                LOG.debug("Connection of %s ended: %s", self.client_address, exc)
            _shut(target)
            _shut(self.request)
            back.join()

    def _answer(self, target: socket.socket) -> None:
        try:
            tgt_relay.to_host(target, self.request, self._logged_in)
        except (OSError, tgt_relay.ConnectionEnded) as exc:
            LOG.debug("tgtd ended the connection of %s: %s", self.client_address, exc)
        _shut(self.request)

    def _admit(self, wish: tgt_relay.LoginWish) -> bool:
        """Refuse logins only while the target's state is transient, which tgtd does not know."""
        self._wish = wish
        with self.server.cluster.lock:
            found = self.server.cluster.target(wish.target)
            if found is None:
                return True  # tgtd will refuse it
            instance, storage = found
            if op_state_of(self.server.cluster, instance, storage) != "available":
                attempt(instance, storage)
                return False
            if storage.refused_logins:
                storage.refused_logins -= 1
                return False
        return True

    def _logged_in(self) -> None:
        with self.server.cluster.lock:
            found = self._wish and self.server.cluster.target(self._wish.target)
            if not self._wish or not found:
                return
            instance, storage = found
            session = Session(
                id=uuid.uuid4().hex,
                initiator=self._wish.initiator,
                iqn=storage.iqn,
                portal=self.server.address,
                lun=0,
                volume_path=volume_path(instance, storage, next(iter(storage.volumes.values()))),
            )
            self._session = session.id
            self.server.cluster.sessions.add(session, lambda: _shut(self.request))

    def _forget(self) -> None:
        if self._session:
            self.server.cluster.sessions.remove(self._session)


def _shut(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        LOG.debug("A connection was closed already")
