# SPDX-License-Identifier: Apache-2.0
"""Managing and unmanaging of existing volumes and snapshots."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cinder import context as cinder_context
from cinder import exception, objects
from cinder.volume import volume_utils
from oslo_log import log as logging

from datera_volume.connection import AppInstance, NotOnCluster, Snapshot, Tenant, Volume
from datera_volume.features.base import VolumeBackendBase
from datera_volume.operations import adopt, naming
from datera_volume.operations.lookup import instance_of, locate, snapshot_of
from datera_volume.operations.manageable import (
    BadReference,
    reference_in,
    snapshot_entries,
    volume_entry,
    volume_in,
    whole_gib,
)
from datera_volume.policies import Policies

LOG = logging.getLogger(__name__)

Entries = list[dict[str, Any]]


class ManageFeature(VolumeBackendBase):
    """Manages and unmanages volumes and snapshots."""

    # -- volumes

    def manage_existing(self, volume: Any, existing_ref: Mapping[str, str]) -> dict[str, Any]:
        """Rename an app instance to a volume, apply the volume's type, and record its tenant.

        :raises ManageExistingAlreadyManaged: it is a Cinder volume already.
        :raises ManageExistingInvalidReference: it does not exist, or cannot be a volume.
        :raises ManageExistingVolumeTypeMismatch: the type cannot be applied.
        :raises InvalidVolumeType: the type has an invalid spec.
        """
        with self._operation("Managing volume %s", volume.id), _of_reference(existing_ref):
            tenant, ai, _found = self._referenced(volume, existing_ref)
            new, said = self._demands(volume)
            try:
                managed = adopt.adopt(tenant, ai, volume.name_id, new, said)
            except adopt.TypeMismatch as exc:
                raise exception.ManageExistingVolumeTypeMismatch(reason=str(exc)) from exc
            self._write_metadata(tenant, managed, volume)
            return self._model_update(tenant)

    def manage_existing_get_size(self, volume: Any, existing_ref: Mapping[str, str]) -> int:
        """Return the size in GiB, rounded up.

        :raises ManageExistingInvalidReference: it does not exist, or cannot be a volume.
        """
        with (
            self._operation("Reading the size of volume %s", volume.id),
            _of_reference(existing_ref),
        ):
            return whole_gib(self._referenced(volume, existing_ref)[2])

    def unmanage(self, volume: Any) -> None:
        """Rename a volume as unmanaged; no error if it is proven to be gone."""
        with self._operation("Unmanaging volume %s", volume.id):
            tenant = self._tenant(volume)
            where = locate(tenant, volume.name_id, lambda: self._all_tenants(volume))
            if where is None:
                LOG.warning("Volume %s is not on the cluster: nothing to unmanage", volume.id)
                return
            where[0].rename(where[1], naming.unmanaged_name(volume.id))

    def get_manageable_volumes(  # noqa: PLR0917 - Cinder's interface
        self,
        cinder_volumes: Sequence[Any],
        marker: Any,
        limit: int,
        offset: int | None,
        sort_keys: list[str],
        sort_dirs: list[str],
    ) -> Entries:
        """List the app instances of the backend's tenants: one page of the sorted list.

        One listing is requested for each tenant, whatever it contains.
        """
        known = {volume.name_id: volume.id for volume in cinder_volumes}
        with self._operation("Listing manageable volumes of %s", self.settings.section):
            usual = self.settings.default_policies
            entries = [
                volume_entry(ai, known, name_tenant=self._maps, open_by_default=usual.open_to_all)
                for ai in self._all_instances()
            ]
        page: Entries = volume_utils.paginate_entries_list(
            entries, marker, limit, offset, sort_keys, sort_dirs
        )
        for entry in page:
            # Another backend's on the same cluster. A page is short: one query for each entry.
            name = reference_in(entry["reference"]).instance
            if entry["safe_to_manage"] and _is_cinders(name):
                entry |= {"safe_to_manage": False, "reason_not_safe": "another backend's volume"}
        return page

    # -- snapshots

    def manage_existing_snapshot(
        self, snapshot: Any, existing_ref: Mapping[str, str]
    ) -> dict[str, Any]:
        """Record which snapshot of the volume this is.

        :raises ManageExistingAlreadyManaged: it is a Cinder snapshot already.
        :raises ManageExistingInvalidReference: the volume has no such snapshot.
        """
        with self._operation("Managing snapshot %s", snapshot.id), _of_reference(existing_ref):
            found = self._snapshot_of(snapshot, existing_ref)[1]
            others = objects.SnapshotList.get_all_for_volume(
                cinder_context.get_admin_context(), snapshot.volume_id
            )
            keys = {naming.snapshot_key(other) for other in others if other.id != snapshot.id}
            if any(map(found.is_called, keys)):
                raise exception.ManageExistingAlreadyManaged(volume_ref=found.utc_ts)
            return {"provider_location": found.utc_ts}

    def manage_existing_snapshot_get_size(
        self, snapshot: Any, existing_ref: Mapping[str, str]
    ) -> int:
        """Return the size of its volume in GiB: the cluster does not report one for a snapshot.

        :raises ManageExistingInvalidReference: the volume has no such snapshot.
        """
        with (
            self._operation("Reading the size of snapshot %s", snapshot.id),
            _of_reference(existing_ref),
        ):
            return whole_gib(self._snapshot_of(snapshot, existing_ref)[0])

    def unmanage_snapshot(self, snapshot: Any) -> None:
        """Do nothing: the cluster has no record of who manages a snapshot."""

    def get_manageable_snapshots(  # noqa: PLR0917 - Cinder's interface
        self,
        cinder_snapshots: Sequence[Any],
        marker: Any,
        limit: int,
        offset: int | None,
        sort_keys: list[str],
        sort_dirs: list[str],
    ) -> Entries:
        """List the snapshots of this backend's volumes: one page of the sorted list.

        One listing is requested for each tenant, whatever it contains.
        """
        context = cinder_context.get_admin_context()
        # Any service of a cluster may be asked for the volumes of all of them.
        own = {"cluster_name": self.cluster_name} if self.cluster_name else {"host": self.host}
        volumes = objects.VolumeList.get_all(context, filters=own)
        known = {volume.name_id: volume.id for volume in volumes}
        taken = {naming.snapshot_key(one): one.id for one in cinder_snapshots}
        with self._operation("Listing manageable snapshots of %s", self.settings.section):
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
        """Yield the app instances of all tenants that this backend uses."""
        paths = (
            self.cluster.tenants() if self._maps else [naming.tenant_for(self.settings.tenant, "")]
        )
        for path in paths:
            for ai in self.cluster.tenant(path).app_instances():
                yield ai if ai.tenant else dataclasses.replace(ai, tenant=path)

    def _referenced(
        self, volume: Any, existing_ref: Mapping[str, str]
    ) -> tuple[Tenant, AppInstance, Volume]:
        reference = reference_in(existing_ref)
        tenant = self.cluster.tenant(reference.tenant) if reference.tenant else self._tenant(volume)
        ai = tenant.app_instance(reference.instance)
        if _is_cinders(ai.name):
            raise exception.ManageExistingAlreadyManaged(volume_ref=ai.name)
        return tenant, ai, volume_in(ai, reference)

    def _demands(self, volume: Any) -> tuple[Policies, dict[str, str]]:
        """The policies of a volume's type, and the specs that the type or the section sets."""
        types = self._types
        said = types.values(volume.volume_type_id)
        if self.settings.one_replica:
            # The option is for testing: it is not applied to an existing volume.
            said.pop("replica_count", None)
        return types.policies(volume.volume_type_id), said

    def _snapshot_of(
        self, snapshot: Any, existing_ref: Mapping[str, str]
    ) -> tuple[Volume, Snapshot]:
        key = existing_ref.get("source-name") or existing_ref.get("source-id")
        if not key:
            raise BadReference("a snapshot's reference needs a source-name, its id on the cluster")
        tenant = self._tenant(snapshot.volume)
        volume = instance_of(tenant, snapshot.volume.name_id).volume
        return volume, snapshot_of(tenant, volume, key)


@contextmanager
def _of_reference(existing_ref: Mapping[str, str]) -> Iterator[None]:
    """Report what does not exist, or cannot be a volume, as an invalid reference."""
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
