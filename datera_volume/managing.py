# SPDX-License-Identifier: Apache-2.0
"""The driver's part that makes what stands on a cluster Cinder's, and gives it up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cinder import context as cinder_context
from cinder import exception, objects
from cinder.volume import volume_utils
from oslo_log import log as logging

from datera_volume import naming, switching
from datera_volume.backend import Backend
from datera_volume.connection import AppInstance, NotOnCluster, Tenant, Volume
from datera_volume.lookup import instance_of, snapshot_of
from datera_volume.manageable import (
    BadReference,
    is_taken,
    reference_in,
    snapshot_entries,
    volume_entry,
    volume_in,
    whole_gib,
)

LOG = logging.getLogger(__name__)

Entries = list[dict[str, Any]]


class Managing(Backend):
    """Managing and unmanaging volumes and snapshots."""

    # -- volumes

    def manage_existing(self, volume: Any, existing_ref: Mapping[str, str]) -> dict[str, Any]:
        """Give an app instance a volume's name, and its type's limits.

        One in another tenant than the project's is remembered to lie there.

        :raises ManageExistingAlreadyManaged: it is a volume of Cinder's.
        :raises ManageExistingInvalidReference: there is no such thing, or it cannot be a volume.
        """
        with self._doing("Managing volume %s", volume.id), _of_reference(existing_ref):
            tenant, ai, found = self._referenced(volume, existing_ref)
            size = whole_gib(found)
            if found.exact_gib != size:
                switching.change(tenant, ai, lambda: tenant.resize_volume(found, size))
            if volume.volume_type_id:
                limits = self._types.limits(volume)
                if limits is not None:
                    tenant.set_limits(found, limits.for_size(size))
            managed = tenant.rename(ai, naming.instance_name(volume.name_id))
            self._note(tenant, managed, volume)
            return self._remembered(volume, tenant)

    def manage_existing_get_size(self, volume: Any, existing_ref: Mapping[str, str]) -> int:
        """Return the size in GiB, rounded up.

        :raises ManageExistingInvalidReference: there is no such thing, or it cannot be a volume.
        """
        with self._doing("Looking at volume %s", volume.id), _of_reference(existing_ref):
            return whole_gib(self._referenced(volume, existing_ref)[2])

    def unmanage(self, volume: Any) -> None:
        """Rename a volume so that it is nobody's; one that is gone is given up already."""
        with self._doing("Giving up volume %s", volume.id):
            tenant = self._tenant(volume)
            try:
                ai = instance_of(tenant, volume.name_id)
                tenant.rename(ai, naming.unmanaged_name(volume.id))
            except NotOnCluster as exc:
                LOG.warning("Nothing to give up: %s", exc)

    def get_manageable_volumes(  # noqa: PLR0917 - Cinder's interface
        self,
        cinder_volumes: Sequence[Any],
        marker: Any,
        limit: int,
        offset: int | None,
        sort_keys: list[str],
        sort_dirs: list[str],
    ) -> Entries:
        """List the app instances of the backend's tenants: a page of the sorted whole.

        The cluster is asked for one list of each tenant, whatever is in it.
        """
        known = {volume.name_id: volume.id for volume in cinder_volumes}
        with self._doing("Listing what %s can manage", self.settings.section):
            entries = [
                volume_entry(ai, known, name_tenant=self._maps) for ai in self._all_instances()
            ]
        page: Entries = volume_utils.paginate_entries_list(
            entries, marker, limit, offset, sort_keys, sort_dirs
        )
        for entry in page:
            # Another backend's on the same cluster. A page is short, and the database is near.
            name = reference_in(entry["reference"]).instance
            if entry["safe_to_manage"] and _is_cinders(name):
                entry |= {"safe_to_manage": False, "reason_not_safe": "another backend's volume"}
        return page

    # -- snapshots

    def manage_existing_snapshot(
        self, snapshot: Any, existing_ref: Mapping[str, str]
    ) -> dict[str, Any]:
        """Remember which of its volume's snapshots this is.

        :raises ManageExistingAlreadyManaged: it is a snapshot of Cinder's.
        :raises ManageExistingInvalidReference: the volume has no such snapshot.
        """
        with self._doing("Managing snapshot %s", snapshot.id), _of_reference(existing_ref):
            found = self._snapshot_of(snapshot, existing_ref)[1]
            others = objects.SnapshotList.get_all_for_volume(
                cinder_context.get_admin_context(), snapshot.volume_id
            )
            keys = {naming.snapshot_key(other) for other in others if other.id != snapshot.id}
            if is_taken(keys, found.uuid, found.utc_ts):
                raise exception.ManageExistingAlreadyManaged(volume_ref=found.utc_ts)
            return {"provider_location": found.utc_ts}

    def manage_existing_snapshot_get_size(
        self, snapshot: Any, existing_ref: Mapping[str, str]
    ) -> int:
        """Return the size of its volume in GiB: the cluster does not say one of a snapshot.

        :raises ManageExistingInvalidReference: the volume has no such snapshot.
        """
        with self._doing("Looking at snapshot %s", snapshot.id), _of_reference(existing_ref):
            return whole_gib(self._snapshot_of(snapshot, existing_ref)[0])

    def unmanage_snapshot(self, snapshot: Any) -> None:
        """Nothing: the snapshot stays where it is, and nothing on the cluster says whose it was."""

    def get_manageable_snapshots(  # noqa: PLR0917 - Cinder's interface
        self,
        cinder_snapshots: Sequence[Any],
        marker: Any,
        limit: int,
        offset: int | None,
        sort_keys: list[str],
        sort_dirs: list[str],
    ) -> Entries:
        """List the snapshots of this backend's volumes: a page of the sorted whole.

        The cluster is asked for one list of each tenant, whatever is in it.
        """
        volumes = objects.VolumeList.get_all_by_host(cinder_context.get_admin_context(), self.host)
        known = {volume.name_id: volume.id for volume in volumes}
        taken = {naming.snapshot_key(one): one.id for one in cinder_snapshots}
        with self._doing("Listing the snapshots that %s can manage", self.settings.section):
            entries = [
                entry
                for ai in self._all_instances()
                for entry in snapshot_entries(ai, known, taken, name_tenant=self._maps)
            ]
        page: Entries = volume_utils.paginate_entries_list(
            entries, marker, limit, offset, sort_keys, sort_dirs
        )
        return page

    # -- what they share

    @property
    def _maps(self) -> bool:
        return naming.is_map(self.settings.tenant)

    def _all_instances(self) -> Iterator[AppInstance]:
        """Yield all that stands in the tenants that volumes of this backend may lie in."""
        paths = (
            self.cluster.tenants() if self._maps else [naming.tenant_for(self.settings.tenant, "")]
        )
        for path in paths:
            yield from self.cluster.tenant(path).app_instances()

    def _referenced(
        self, volume: Any, existing_ref: Mapping[str, str]
    ) -> tuple[Tenant, AppInstance, Volume]:
        reference = reference_in(existing_ref)
        tenant = self.cluster.tenant(reference.tenant) if reference.tenant else self._tenant(volume)
        ai = tenant.app_instance(reference.instance)
        if _is_cinders(ai.name):
            raise exception.ManageExistingAlreadyManaged(volume_ref=ai.name)
        return tenant, ai, volume_in(ai, reference)

    def _snapshot_of(self, snapshot: Any, existing_ref: Mapping[str, str]) -> tuple[Volume, Any]:
        key = existing_ref.get("source-name") or existing_ref.get("source-id")
        if not key:
            raise BadReference("a snapshot's reference has a source-name, its id on the cluster")
        tenant = self._tenant(snapshot.volume)
        volume = instance_of(tenant, snapshot.volume.name_id).volume
        return volume, snapshot_of(tenant, volume, key)


@contextmanager
def _of_reference(existing_ref: Mapping[str, str]) -> Iterator[None]:
    """Say of what is not there, or cannot be a volume, that the reference is wrong."""
    try:
        yield
    except (BadReference, NotOnCluster) as exc:
        raise exception.ManageExistingInvalidReference(
            existing_ref=dict(existing_ref), reason=str(exc)
        ) from exc


def _is_cinders(name: str) -> bool:
    """Whether an app instance's name is that of a volume in Cinder's database."""
    found = naming.id_in(name)
    if found is None:
        return False
    if volume_utils.check_already_managed_volume(found):
        return True
    context = cinder_context.get_admin_context()
    return bool(objects.VolumeList.get_all(context, filters={"_name_id": found}))
