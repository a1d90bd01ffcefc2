# SPDX-License-Identifier: Apache-2.0
"""Two cinder-volume processes, each on its own host, that serve one backend as one cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from demo.servers.ini import Sections
from demo.waiting import NotYet, Permanent, until
from tests.services.stack.array_view import Instance, initiators, instances
from tests.services.stack.cinder import VOLUME_HOST
from tests.services.stack.cinder_conf import array_backend
from tests.services.stack.cloud import Cloud
from tests.services.stack.people import ADMIN
from tests.services.stack.project import Project
from tests.services.stack.servers.etcd import Etcd

HOSTS = ("volume-one", "volume-two")
BACKEND = "shared"
CLUSTER = "pair"
SECONDS = 120.0


class VolumePair:
    """The two, with the etcd for their locks.

    :ivar name: the cluster's name in Cinder.
    """

    name = f"{CLUSTER}@{BACKEND}"

    def __init__(self, cloud: Cloud, project: Project) -> None:
        self.etcd = Etcd(cloud.directory / "etcd", cloud.servers)
        self.project = project
        self._cloud = cloud
        self._storage = cloud.people.connection("alice", seconds=300).block_storage
        self._admin = cloud.people.connection(ADMIN).block_storage

    def start(self) -> None:
        """Start all, and create a multiattach volume type for the backend."""
        self.etcd.start()
        for host in HOSTS:
            self.launch(host)
        self.await_up(*HOSTS)
        specs = (f"volume_backend_name={BACKEND}", "multiattach=<is> True")
        words = [word for spec in specs for word in ("--property", spec)]
        self._cloud.client(ADMIN)("volume", "type", "create", BACKEND, *words)
        # The backend reports to the scheduler when it starts, and gets volumes from then on.
        self.project.delete_volumes(until("a volume", self._first_volume, seconds=SECONDS))

    def stop(self) -> None:
        """Stop all, and take both out of Cinder's records.

        For a minute the scheduler considers a stopped service up, and places volumes
        without a type there, which are never created.
        """
        for host in HOSTS:
            if host in self._cloud.cinder.processes:
                self._cloud.cinder.kill(host)
        self.etcd.kill()
        known = self._cloud.services_up()
        for host in HOSTS:
            if ("cinder-volume", f"{host}@{BACKEND}") in known:
                # Not "cluster remove --recursive", which works but then fails in Cinder 29.
                remove = ("service", "remove", "cinder-volume", f"{host}@{BACKEND}")
                self._cloud.cinder.manage(VOLUME_HOST, *remove)

    def launch(self, host: str) -> None:
        """Start one of the two."""
        self._cloud.cinder.launch_volume_of_cluster(host, self._sections())

    def await_up(self, *hosts: str) -> None:
        """Wait until Cinder reports these as up."""
        self._cloud.await_services({("cinder-volume", f"{host}@{BACKEND}") for host in hosts})

    def worked(self, what: str) -> dict[str, int]:
        """Return how often each has done something, according to its log."""
        return {host: self._cloud.cinder.log(host).count(what) for host in HOSTS}

    # -- attachments -----------------------------------------------------------------------

    def attach(self, volume_id: str, host: str) -> Any:
        """Attach a volume to a host, as for an instance; return the attachment.

        Cinder's API reserves no volume while another attachment of it is being created: then the
        request is repeated, as a user would.
        """
        # Slow to import if none of this is run.
        from openstack.exceptions import BadRequestException, SDKException

        def attached() -> Any:
            try:
                return self._storage.create_attachment(
                    volume_id, connector=connector(host), mode="rw"
                )
            except BadRequestException as exc:
                raise NotYet(str(exc)) from exc
            except SDKException as exc:
                raise AttachmentFailed(str(exc)) from exc

        attachment = until(f"{host} at {volume_id}", attached, seconds=SECONDS)
        self._storage.complete_attachment(attachment)
        return attachment

    def detach(self, attachment: Any) -> None:
        """Detach it from the host."""
        self._storage.delete_attachment(attachment, ignore_missing=False)

    def drop_attachments(self, volume_id: str, *, but_for: Any = None) -> None:
        """Delete what a failed attachment has left in Cinder's records, as Nova does."""
        for one in self._storage.attachments(volume_id=volume_id):
            if but_for is None or one.id != but_for.id:
                self.detach(one)

    def seen(self, volume_id: str) -> Instance:
        """Return a volume's app instance on the array."""
        (found,) = (one for one in self.on_array() if volume_id in one.name)
        return found

    def at_work(self, volume_ids: Iterable[str]) -> dict[str, str]:
        """Return which of the two has begun to delete volumes, by the volumes' ids."""
        rows = self._cloud.database.query(
            "SELECT w.resource_id, s.host FROM workers w JOIN services s ON s.id = w.service_id"
            " WHERE w.deleted = 0"
        )
        hosts = {row["resource_id"]: row["host"].partition("@")[0] for row in rows}
        return {one: hosts[one] for one in volume_ids if one in hosts}

    def known_initiators(self) -> list[str]:
        """Return the initiators that the array has for this backend."""
        return initiators(self._cloud.array, f"/root/{CLUSTER}")

    def on_array(self) -> list[Instance]:
        """Return all that this backend has on the array."""
        return [one for one in instances(self._cloud.array) if one.tenant == f"/root/{CLUSTER}"]

    # -- an administrator ------------------------------------------------------------------

    def clean_up(self) -> list[str]:
        """Let the running service clean up after the killed one; return the cleaned-up hosts."""
        answer = self._admin.post(
            "/workers/cleanup", json={"cluster_name": self.name}, microversion="3.24"
        )
        answer.raise_for_status()
        return [one["host"] for one in answer.json()["cleaning"]]

    def clusters(self) -> str:
        """Return what cinder-manage lists."""
        return self._cloud.cinder.manage(VOLUME_HOST, "cluster", "list")

    def fail_over(self) -> int:
        """Request a failover of the backend; return the API's status."""
        body = {"cluster": self.name, "backend_id": "elsewhere"}
        answer = self._admin.put("/os-services/failover", json=body, microversion="3.26")
        return int(answer.status_code)

    def status(self, volume_id: str) -> str:
        """Return a volume's status in Cinder."""
        return str(self._storage.get_volume(volume_id).status)

    def set_state(self, volume_id: str, state: str) -> None:
        """Set a volume's status in Cinder."""
        self._cloud.client(ADMIN)("volume", "set", "--state", state, volume_id)

    def _first_volume(self) -> str:
        made = self.project.do("volume", "create", "--size", "1", "--type", BACKEND, "first")["id"]
        try:
            self.project.await_volume(made, "available")
        except AssertionError as exc:
            self.project.do("volume", "delete", made)
            raise NotYet(str(exc)) from exc
        return str(made)

    def _sections(self) -> Sections:
        return {
            "DEFAULT": {"cluster": CLUSTER, "enabled_backends": BACKEND},
            BACKEND: array_backend(self._cloud.array, BACKEND, tenant=CLUSTER),
            "coordination": {"backend_url": self.etcd.locks_url},
        }


class AttachmentFailed(Permanent):
    """Cinder could not attach; retrying is useless."""


def connector(host: str) -> dict[str, str]:
    """A host's connector properties."""
    return {
        "initiator": initiator(host),
        "host": host,
        "ip": "127.0.0.1",
        "mountpoint": "/dev/vdb",
    }


def initiator(host: str) -> str:
    """A host's initiator."""
    return f"iqn.2026-01.org.example:{host}"


def all_at_once(calls: Iterable[Callable[[], Any]]) -> list[Any]:
    """Make calls at the same time; return their results."""
    calls = list(calls)
    with ThreadPoolExecutor(len(calls)) as side:
        return [one.result() for one in [side.submit(call) for call in calls]]
