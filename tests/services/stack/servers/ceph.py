# SPDX-License-Identifier: Apache-2.0
"""Debian's Ceph: one monitor, one OSD, and the S3 gateway, in a directory."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib import request

from demo.servers.ini import write_ini
from demo.servers.processes import Server, environment
from demo.waiting import NotYet, until
from tests.services.stack.servers.daemons import Daemons
from tests.services.stack.servers.loopback import HOST, free_port, free_ports

SECONDS = 180.0
ANSWER_SECONDS = 40.0
ASKED = ("--connect-timeout", "20")
OSD_PORTS = 16
USER = "cinder"
BACKUPS_POOL = "backups"
VOLUMES_POOL = "volumes"
BACKUP_CHUNK = 32 * 2**20
# Per cent of free space below which a monitor exits: its default is more than any test
# needs on a large file system.
NO_LIMIT = -1


@dataclass(frozen=True)
class Traffic:
    """Bytes of data that an OSD has sent, bytes and messages that it has received."""

    sent: int
    received: int
    messages: int

    def since(self, before: Traffic) -> Traffic:
        """Return what has been added."""
        return Traffic(
            self.sent - before.sent,
            self.received - before.received,
            self.messages - before.messages,
        )


class Ceph:
    """A cluster without authentication and replication.

    :param directory: private, with a short name (it has sockets); everything is below it.
    :param disk: bytes of its disk, which is sparse.
    :param placement_groups: of each pool.
    """

    def __init__(
        self,
        directory: Path,
        servers: Daemons,
        *,
        disk: int = 10 * 2**30,
        placement_groups: int = 1,
    ) -> None:
        self._directory = directory
        self._servers = servers
        self._disk = disk
        self._placement_groups = placement_groups
        self._monitor_port = free_port()
        self._gateway_port = free_port()
        self._osd_port = free_ports(OSD_PORTS)
        self._osd_id = str(uuid.uuid4())
        self._daemons: dict[str, Server] = {}
        self.access_key = "AKIDCINDER"
        self.secret_key = secrets.token_hex(12)

    @property
    def conf(self) -> Path:
        """The cluster's ceph.conf."""
        return self._directory / "ceph.conf"

    @property
    def user(self) -> str:
        """The user name of clients; it is not checked."""
        return USER

    @property
    def name(self) -> str:
        """The cluster's name, for os-brick, which looks for ``/etc/ceph/NAME.client.USER.keyring``.

        The name leads from there to the cluster's own directory, so that nothing is in ``/etc``.
        """
        return os.path.relpath(self._directory / "ceph", "/etc/ceph")

    @property
    def s3_url(self) -> str:
        """The gateway's endpoint."""
        return f"http://{HOST}:{self._gateway_port}"

    @property
    def backup_options(self) -> dict[str, object]:
        """The lines of ``[DEFAULT]`` for Cinder's own Ceph backup driver."""
        return {
            "backup_ceph_conf": self.conf,
            "backup_ceph_user": self.user,
            "backup_ceph_pool": BACKUPS_POOL,
            "backup_ceph_chunk_size": BACKUP_CHUNK,
        }

    def backup_images(self) -> list[str]:
        """Return the names of the images that the backup driver has created."""
        return self.images(BACKUPS_POOL)

    def start(self) -> None:
        """Create a new cluster with two pools, and start it; returns once it is healthy."""
        for name in ("mon", "osd", "rgw", "crash"):
            (self._directory / name).mkdir(parents=True)
        cluster = str(uuid.uuid4())
        self._write_conf(cluster)
        (self._directory / f"ceph.client.{USER}.keyring").write_text(f"[client.{USER}]\n")
        monitors = self._directory / "monmap"
        where = f"[v2:{HOST}:{self._monitor_port}]"
        self._run(["monmaptool", "--create", "--fsid", cluster, "--addv", "a", where, monitors])
        self._run(["ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors])
        self._launch_monitor()
        self._until_done(["ceph", *ASKED, "osd", "new", self._osd_id])
        # In the foreground: otherwise an early end would leave a running child behind.
        self._run(["ceph-osd", "-i", "0", "--mkfs", "-f", "--osd-uuid", self._osd_id])
        self._launch_osd()
        self._await_osd()
        for pool in (BACKUPS_POOL, VOLUMES_POOL):
            self._until_done(["ceph", *ASKED, "osd", "pool", "create", pool])
            self._until_done(["rbd", "pool", "init", pool])

    def start_gateway(self) -> None:
        """Create the gateway's user and start the gateway; returns once it answers."""
        self._run(
            [
                "radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=cinder",
                "--display-name=cinder", f"--access-key={self.access_key}",
                f"--secret-key={self.secret_key}",
            ]
        )  # fmt: skip
        self._launch_gateway()
        until("the gateway", self._gateway_answers, seconds=SECONDS)

    def stop(self) -> None:
        """Kill all daemons, as a power failure would; the data is kept."""
        for server in self._daemons.values():
            self._servers.kill(server)
        self._daemons.clear()

    def start_again(self) -> None:
        """Start the daemons of a cluster that `stop` has stopped; returns once all answer."""
        self._launch_monitor()
        self._launch_osd()
        self._await_osd()
        self._launch_gateway()
        until("the gateway", self._gateway_answers, seconds=SECONDS)

    def images(self, pool: str) -> list[str]:
        """Return the names of a pool's images."""
        return self._run(["rbd", "ls", pool]).split()

    def snapshots(self, pool: str, image: str) -> list[str]:
        """Return the names of an image's snapshots."""
        listed = self._run(["rbd", "snap", "ls", f"{pool}/{image}"]).splitlines()[1:]
        return [line.split()[1] for line in listed]

    def traffic(self) -> Traffic:
        """Return what went over the network between the OSD and its clients so far."""
        socket = self._directory / "ceph-osd.0.asok"
        counters = json.loads(self._run(["ceph", "--admin-daemon", socket, "perf", "dump"]))
        messengers = [found for name, found in counters.items() if name.startswith("AsyncMess")]
        return Traffic(
            # The messengers lose count of what a socket does not take at once.
            sent=counters["osd"]["op_out_bytes"],
            # The OSD counts what it sets to zero as received.
            received=sum(one["msgr_recv_bytes"] for one in messengers),
            messages=sum(one["msgr_recv_messages"] for one in messengers),
        )

    def _launch_monitor(self) -> None:
        self._daemons["mon"] = self._launch("ceph-mon", ["ceph-mon", "-i", "a", "-f"])

    def _launch_osd(self) -> None:
        self._daemons["osd"] = self._launch("ceph-osd", ["ceph-osd", "-i", "0", "-f"])

    def _launch_gateway(self) -> None:
        self._daemons["rgw"] = self._launch("radosgw", ["radosgw", "-n", "client.rgw", "-f"])

    def _launch(self, name: str, command: Sequence[str]) -> Server:
        return self._servers.launch(name, command, env={"CEPH_CONF": str(self.conf)})

    def _await_osd(self) -> None:
        def up() -> bool:
            self._servers.check()
            seen = self._run(["ceph", *ASKED, "osd", "stat"], seconds=ANSWER_SECONDS)
            if " 1 up" not in seen:
                raise NotYet(seen.strip())
            return True

        until("Ceph's OSD", up, seconds=SECONDS)

    def _gateway_answers(self) -> bool:
        self._servers.check()
        request.urlopen(self.s3_url, timeout=5).close()
        return True

    def _until_done(self, command: Sequence[str]) -> None:
        """Repeat an idempotent command until the cluster is ready for it."""

        def done() -> bool:
            self._servers.check()
            self._run(command, seconds=ANSWER_SECONDS)
            return True

        until(" ".join(command), done, seconds=SECONDS)

    def _run(self, command: Sequence[str | Path], *, seconds: float = SECONDS) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            env=environment({"CEPH_CONF": str(self.conf)}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def _write_conf(self, cluster: str) -> None:
        place = self._directory
        write_ini(
            self.conf,
            {
                "global": {
                    "fsid": cluster,
                    "mon_host": f"v2:{HOST}:{self._monitor_port}",
                    "public_addr": HOST,
                    "cluster_addr": HOST,
                    "ms_bind_msgr1": "false",
                    "ms_bind_port_min": self._osd_port,
                    "ms_bind_port_max": self._osd_port + OSD_PORTS - 1,
                    "auth_cluster_required": "none",
                    "auth_service_required": "none",
                    "auth_client_required": "none",
                    "run_dir": place,
                    "crash_dir": place / "crash",
                    "paxos_propose_interval": 0.05,
                    "paxos_min_wait": 0.01,
                    "osd_pool_default_size": 1,
                    "osd_pool_default_min_size": 1,
                    "osd_pool_default_pg_num": self._placement_groups,
                    "osd_pool_default_pg_autoscale_mode": "off",
                    "osd_crush_chooseleaf_type": 0,
                    "mon_allow_pool_size_one": "true",
                },
                "mon": {
                    "log_file": place / "mon.log",
                    "mon_data": place / "mon",
                    "mon_warn_on_pool_no_redundancy": "false",
                    "mon_data_avail_warn": NO_LIMIT,
                    "mon_data_avail_crit": NO_LIMIT,
                    # No manager runs here, and none is needed.
                    "mon_mgr_mkfs_grace": 31536000,
                    "auth_allow_insecure_global_id_reclaim": "false",
                },
                "osd": {
                    "log_file": place / "osd.log",
                    "osd_data": place / "osd",
                    "osd_objectstore": "bluestore",
                    "bluestore_block_size": self._disk,
                    "bluestore_cache_autotune": "false",
                    "bluestore_cache_size": 64 * 2**20,
                    # An image is not deleted while a crashed client may be using it.
                    "osd_client_watch_timeout": 10,
                },
                "client": {
                    "log_file": "",
                    "admin_socket": "",
                    # Else a client waits for minutes for an unreachable cluster.
                    "client_mount_timeout": 10,
                    "rados_osd_op_timeout": 30,
                    "rados_mon_op_timeout": 30,
                    # What it holds would be retried repeatedly.
                    "rbd_cache": "false",
                },
                "client.rgw": {
                    "log_file": place / "rgw.log",
                    "ms_mon_client_mode": "crc",
                    "rgw_data": place / "rgw",
                    "rgw_frontends": f"beast endpoint={HOST}:{self._gateway_port}",
                    "rgw_rados_pool_pg_num_min": 1,
                    "rgw_crypt_require_ssl": "false",
                    "client_mount_timeout": 300,
                    "rados_osd_op_timeout": 0,
                    "rados_mon_op_timeout": 0,
                },
            },
        )
