# SPDX-License-Identifier: Apache-2.0
"""The Datera volume driver: Cinder's calls, Cinder's objects and Cinder's exceptions.

What is done on the cluster stands in the modules beside this one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cinder import context as cinder_context
from cinder import coordination, exception, interface, objects
from cinder.common import constants
from cinder.volume import driver, volume_types, volume_utils
from cinder.volume.drivers.san import san
from oslo_log import log as logging

from datera_volume import attachment, naming, opts, provisioning, version
from datera_volume.connection import Cluster, NotOnCluster, Tenant
from datera_volume.guests import Guests, Record
from datera_volume.policies import (
    SCOPE,
    BadPolicy,
    Limits,
    Policies,
    limits_in,
    policies_from,
    round_robin_in,
    unknown_in,
    values_of_type,
)
from datera_volume.provisioning import Wanted
from datera_volume.settings import BackendSettings, read_settings
from datera_volume.stats import capacity_stats
from datera_volume.translation import cinder_errors

LOG = logging.getLogger(__name__)

CONNECTION_OPTIONS = (
    "use_chap_auth",
    "chap_username",
    "chap_password",
    "driver_use_ssl",
    "driver_ssl_cert_verify",
    "driver_ssl_cert_path",
    "driver_client_cert",
    "driver_client_cert_key",
)

# In any other state Cinder itself may be attached too, without a record: copying to an image, say.
USED_BY_INSTANCES_ALONE = ("in-use", "detaching")


@interface.volumedriver
class DateraDriver(driver.ISCSIDriver):
    """Volumes on a Datera cluster, over iSCSI."""

    VERSION = version.VERSION
    CI_WIKI_NAME = "datera-ci"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(san.san_opts)
        opts.register(self.configuration)
        self._settings: BackendSettings | None = None
        self._cluster: Cluster | None = None
        self._tenants_made: set[str] = set()
        self._guests = Guests()

    @staticmethod
    def get_driver_options() -> list[Any]:
        """Return what may stand in the backend's section, for the documentation."""
        login = [o for o in san.san_opts if o.name in ("san_ip", "san_login", "san_password")]
        shared = [o for o in driver.volume_opts if o.name in CONNECTION_OPTIONS]
        return [*login, *opts.OPTS, *shared]

    # -- start

    def do_setup(self, context: Any) -> None:
        """Read the configuration; asks the cluster nothing.

        :raises InvalidConfigurationValue: an option is missing or cannot be used.
        :raises VolumeBackendAPIException: the SDK is not installed, or a certificate's file cannot
            be read.
        """
        self._settings = settings = read_settings(self.configuration)
        # Cinder sets a driver up several times over; what was refused is not sent again each time.
        if self._cluster is None or self._cluster.settings != settings.cluster:
            with cinder_errors("Setting up the Datera driver"):
                self._cluster = Cluster(settings.cluster)

    def check_for_setup_error(self) -> None:
        """Log in.

        :raises VolumeBackendAPIException: that did not work within the busy timeout.
        """
        with cinder_errors("Logging in to the Datera cluster"):
            self.cluster.login()

    @property
    def settings(self) -> BackendSettings:
        """The backend's section; there once the driver was set up."""
        if self._settings is None:
            raise exception.DriverNotInitialized()
        return self._settings

    @property
    def cluster(self) -> Cluster:
        """The cluster; there once the driver was set up."""
        if self._cluster is None:
            raise exception.DriverNotInitialized()
        return self._cluster

    # -- volumes

    def create_volume(self, volume: Any) -> None:
        """Make an empty volume."""
        with self._doing("Creating volume %s", volume.id):
            provisioning.create(self._tenant_made(volume), self._wanted(volume))

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        """Make a volume with the contents of another, and its own type's policies."""
        with self._doing("Cloning volume %s", volume.id):
            provisioning.copy_volume(
                self._tenant_made(volume), self._wanted(volume), src_vref.name_id
            )

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        """Make a volume with the contents of a snapshot, and its own type's policies."""
        with self._doing("Creating volume %s from a snapshot", volume.id):
            provisioning.copy_snapshot(
                self._tenant_made(volume),
                self._wanted(volume),
                snapshot.volume.name_id,
                snapshot.id,
            )

    def delete_volume(self, volume: Any) -> None:
        """Delete a volume; one that is gone is deleted.

        :raises VolumeIsBusy: the cluster will not delete it now.
        """
        with self._doing("Deleting volume %s", volume.id):
            try:
                provisioning.delete(self._tenant(volume), volume.name_id)
            except provisioning.Busy as exc:
                LOG.warning("Volume %s cannot be deleted now: %s", volume.id, exc)
                raise exception.VolumeIsBusy(volume_name=volume.name) from exc

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """Grow a volume to that many GiB."""
        with self._doing("Extending volume %s", volume.id):
            provisioning.extend(
                self._tenant(volume), volume.name_id, new_size, self._limits(volume)
            )

    # -- snapshots

    def create_snapshot(self, snapshot: Any) -> None:
        """Take a snapshot, under Cinder's own id for it."""
        volume = snapshot.volume
        with self._doing("Taking a snapshot of volume %s", volume.id):
            provisioning.take_snapshot(self._tenant(volume), volume.name_id, snapshot.id)

    def delete_snapshot(self, snapshot: Any) -> None:
        """Delete a snapshot; one that is gone is deleted.

        :raises SnapshotIsBusy: the cluster will not delete it now.
        """
        volume = snapshot.volume
        with self._doing("Deleting a snapshot of volume %s", volume.id):
            try:
                provisioning.delete_snapshot(self._tenant(volume), volume.name_id, snapshot.id)
            except provisioning.Busy as exc:
                LOG.warning("Snapshot %s cannot be deleted now: %s", snapshot.id, exc)
                raise exception.SnapshotIsBusy(snapshot_name=snapshot.name) from exc

    # -- attachments

    def ensure_export(self, context: Any, volume: Any) -> None:
        """Nothing: what is attached stays so on the cluster while this service restarts."""

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        """Nothing: a host is let in when it connects, and nobody is let in before."""

    def remove_export(self, context: Any, volume: Any) -> None:
        """Nothing: a host is shut out when it disconnects."""

    def initialize_connection(self, volume: Any, connector: Mapping[str, Any]) -> dict[str, Any]:
        """Let the connector's host in, and say how it finds the volume."""
        with (
            self._doing("Attaching volume %s", volume.id),
            self._attachments_of(volume),
            self._guests.arriving(volume.id, connector, _records_of(volume.id)),
        ):
            return attachment.attach(
                self._tenant(volume),
                volume.name_id,
                connector,
                chap=self.settings.chap,
                round_robin=self._round_robin(volume),
            )

    def validate_connector(self, connector: Mapping[str, Any]) -> None:
        """Refuse a host that has no initiator's name.

        :raises InvalidConnectorException: it has none, or an empty one.
        """
        if not connector.get("initiator"):
            raise exception.InvalidConnectorException(missing="initiator")

    def terminate_connection(
        self, volume: Any, connector: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        """Shut a host out, or every host where ``connector`` is None.

        :returns: whether another attachment of the same host remains, and with it the connection.
        """
        force = bool(kwargs.get("force"))
        with self._doing("Detaching volume %s", volume.id), self._attachments_of(volume):
            if connector is None:
                self._shut_out(volume, None, force=force)
                self._guests.everybody_left(volume.id)
                return False
            iqn = connector.get("initiator")
            if not iqn:
                LOG.debug("Volume %s: a host without an initiator was never let in.", volume.id)
                return False
            with self._guests.leaving(volume.id, connector, _records_of(volume.id)) as staying:
                if staying.from_host > 0:
                    LOG.debug("Volume %s: another attachment of %s remains.", volume.id, iqn)
                    return True
                # Cinder's in-tree driver may have left hosts in the list that went long ago.
                all_of_them = staying.nobody and volume.status in USED_BY_INSTANCES_ALONE
                self._shut_out(volume, None if all_of_them else iqn, force=force)
            return False

    def clean_volume_file_locks(self, volume_id: str) -> None:
        """Remove what the lock on a deleted volume's attachments left on disk."""
        coordination.COORDINATOR.remove_lock(_lock_name(volume_id))

    # -- the scheduler

    def _update_volume_stats(self) -> None:
        with self._doing("Reading the capacity of %s", self.settings.section):
            system = self.cluster.system()
        configured = self.configuration
        self._stats = {
            "volume_backend_name": configured.safe_get("volume_backend_name") or "Datera",
            "vendor_name": "Datera",
            "driver_version": self.VERSION,
            "storage_protocol": constants.ISCSI,
            "reserved_percentage": configured.safe_get("reserved_percentage"),
            "max_over_subscription_ratio": volume_utils.get_max_over_subscription_ratio(
                configured.safe_get("max_over_subscription_ratio"), supports_auto=True
            ),
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "online_extend_support": True,
            "multiattach": True,
            "QoS_support": True,
            "filter_function": self.get_filter_function(),
            "goodness_function": self.get_goodness_function(),
            **capacity_stats(system, self.settings.default_policies.replica_count),
        }

    # -- what the operations share

    def _shut_out(self, volume: Any, iqn: str | None, *, force: bool) -> None:
        try:
            attachment.detach(self._tenant(volume), volume.name_id, iqn)
        except NotOnCluster as exc:
            if not force:
                raise
            LOG.warning("Nothing to detach: %s", exc)

    @contextmanager
    def _doing(self, what: str, name: str) -> Iterator[None]:
        """Translate errors; with ``datera_debug``, tell how long it took."""
        started = time.monotonic()
        outcome = "failed"
        try:
            with cinder_errors(what % name):
                yield
            outcome = "done"
        finally:
            if self.settings.log_operations:
                LOG.info("%s: %s after %.3f s", what % name, outcome, time.monotonic() - started)

    @contextmanager
    def _attachments_of(self, volume: Any) -> Iterator[None]:
        """One at a time: who goes must not switch off what another is just being let in to."""
        with coordination.COORDINATOR.get_lock(_lock_name(volume.id)):
            yield

    def _tenant(self, volume: Any) -> Tenant:
        return self.cluster.tenant(naming.tenant_for(self.settings.tenant, volume.project_id))

    def _tenant_made(self, volume: Any) -> Tenant:
        tenant = self._tenant(volume)
        if tenant.path not in self._tenants_made:
            tenant.ensure()
            self._tenants_made.add(tenant.path)
        return tenant

    def _wanted(self, volume: Any) -> Wanted:
        # The name_id differs from the id after a migration only, never for a new volume.
        return Wanted(volume.name_id, volume.size, self._policies(volume))

    def _policies(self, volume: Any) -> Policies:
        """What a volume that is made must be like.

        :raises BadPolicy: its type says something that cannot be read.
        """
        return policies_from(self._specs(volume), one_replica=self.settings.one_replica)

    def _limits(self, volume: Any) -> Limits | None:
        """A volume's limits; None where its type does not say them so that they can be read."""
        specs = self._specs(volume)
        for name in unknown_in(specs):
            LOG.warning("Volume %s: %s%s is not a setting of this driver", volume.id, SCOPE, name)
        try:
            return limits_in(specs)
        except BadPolicy as exc:
            LOG.warning("The limits of volume %s stay as they are: %s", volume.id, exc)
            return None

    def _round_robin(self, volume: Any) -> bool:
        try:
            return round_robin_in(self._specs(volume))
        except BadPolicy as exc:
            LOG.warning("Volume %s is attached by its first portal: %s", volume.id, exc)
            return False

    def _specs(self, volume: Any) -> dict[str, str]:
        type_id = volume.volume_type_id
        defaults = self.settings.type_defaults
        if not type_id:
            return dict(defaults)
        qos = volume_types.get_volume_type_qos_specs(type_id)["qos_specs"] or {}
        for_backend = qos.get("consumer") in ("back-end", "both")
        return values_of_type(
            volume_types.get_volume_type_extra_specs(type_id),
            qos.get("specs", {}) if for_backend else {},
            defaults,
        )


def _lock_name(volume_id: str) -> str:
    return f"datera-attachments-{volume_id}"


def _records_of(volume_id: str) -> list[Record]:
    attachments = objects.VolumeAttachmentList.get_all_by_volume_id(
        cinder_context.get_admin_context(), volume_id
    )
    return [Record(a.id, a.connector) for a in attachments]
