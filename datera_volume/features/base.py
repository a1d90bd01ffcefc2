# SPDX-License-Identifier: Apache-2.0
"""What every feature of the driver uses: settings, cluster, tenant and volume type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from cinder import exception
from cinder.volume import driver
from cinder.volume.drivers.san import san
from oslo_log import log as logging

from datera_volume import opts
from datera_volume.connection import (
    AppInstance,
    Cluster,
    NotOnCluster,
    PermissionRefused,
    RequestRefused,
    Tenant,
    tracing,
)
from datera_volume.features.cinder_errors import cinder_errors
from datera_volume.features.volume_types import TypeSpecs
from datera_volume.operations import metadata, naming
from datera_volume.operations.provisioning import VolumeRequest
from datera_volume.settings import BackendSettings, read_settings

LOG = logging.getLogger(__name__)

Made = TypeVar("Made")


class VolumeBackendBase(driver.ISCSIDriver):
    """A volume driver of one section of cinder.conf, without any operation on volumes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(san.san_opts)
        opts.register(self.configuration)
        self._settings: BackendSettings | None = None
        self._cluster: Cluster | None = None
        self._ensured_tenants: set[str] = set()

    def do_setup(self, context: Any) -> None:
        """Read the configuration; sends no request to the cluster.

        :raises InvalidConfigurationValue: an option is missing or invalid.
        :raises VolumeBackendAPIException: the SDK is not installed, or a certificate's file cannot
            be read.
        """
        self._settings = settings = read_settings(self.configuration)
        # Cinder repeats a driver's setup; refused credentials must not be sent again each time.
        if self._cluster is None or self._cluster.settings != settings.cluster:
            with cinder_errors("Setting up the Datera driver"):
                self._cluster = Cluster(settings.cluster)
            self._ensured_tenants.clear()

    def check_for_setup_error(self) -> None:
        """Log in.

        :raises VolumeBackendAPIException: that failed within the busy timeout.
        """
        with cinder_errors("Logging in to the Datera cluster"):
            self.cluster.login()

    @property
    def settings(self) -> BackendSettings:
        """The backend's settings.

        :raises DriverNotInitialized: before the driver was set up.
        """
        if self._settings is None:
            raise exception.DriverNotInitialized()
        return self._settings

    @property
    def cluster(self) -> Cluster:
        """The cluster.

        :raises DriverNotInitialized: before the driver was set up.
        """
        if self._cluster is None:
            raise exception.DriverNotInitialized()
        return self._cluster

    @property
    def _types(self) -> TypeSpecs:
        """Reads volume types with this backend's defaults."""
        settings = self.settings
        return TypeSpecs(settings.type_defaults, one_replica=settings.one_replica)

    @contextmanager
    def _operation(self, what: str, name: str) -> Iterator[None]:
        """Map errors to Cinder's, and trace the operation in the log."""
        doing = what % name
        level = self.settings.timing_level
        with tracing.call(doing, LOG, level=level), cinder_errors(doing):
            yield

    def _tenant(self, volume: Any) -> Tenant:
        """The recorded tenant of a volume; if none is recorded, its project's."""
        return self.cluster.tenant(
            naming.remembered_tenant(volume) or self._project_tenant_path(volume)
        )

    def _project_tenant_path(self, volume: Any) -> str:
        return naming.tenant_for(self.settings.tenant, volume.project_id)

    def _all_tenants(self, volume: Any) -> list[Tenant] | None:
        """All tenants, for a volume whose tenant Cinder has not recorded; else None.

        The leftover of a migration has the name of the migrated volume: in other tenants that name
        is another volume's.
        """
        if naming.remembered_tenant(volume) or volume.name_id != volume.id:
            return None
        try:
            return [self.cluster.tenant(path) for path in self.cluster.tenants()]
        except PermissionRefused as exc:
            LOG.debug("Volume %s is searched for in one tenant only: %s", volume.id, exc)
            return None

    def _model_update(self, tenant: Tenant) -> dict[str, Any]:
        """The model update that records a volume's tenant, whatever is configured later.

        Its snapshots are in the same tenant, and need no record of their own.
        """
        return {"provider_id": tenant.path}

    def _volume_request(self, volume: Any) -> VolumeRequest:
        # The name_id differs from the id only after a migration, never for a new volume.
        policies = self._types.policies(volume.volume_type_id)
        override = self.settings.template_override
        return VolumeRequest(volume.name_id, volume.size, policies, override_size=override)

    def _write_metadata(self, tenant: Tenant, ai: AppInstance, volume: Any) -> None:
        """Write Cinder's properties of a volume into its metadata, unless that is disabled."""
        if self.settings.extended_metadata:
            metadata.write(tenant, ai, volume)

    def _ensured_tenant(self, volume: Any) -> Tenant:
        """The tenant of a new volume, created if this process has not seen it before."""
        tenant = self._tenant(volume)
        if tenant.path not in self._ensured_tenants:
            tenant.ensure()
            self._ensured_tenants.add(tenant.path)
        return tenant

    def _create_in_tenant(self, volume: Any, make: Callable[[Tenant], Made]) -> Made:
        """Create something in the tenant of a new volume; a removed tenant is created again."""
        tenant = self._ensured_tenant(volume)
        try:
            return make(tenant)
        except (NotOnCluster, PermissionRefused, RequestRefused):
            # A template or a policy may be what is missing. It is checked only after a failure.
            if tenant.exists() is not False:
                raise
            LOG.warning(
                "The tenant %s was removed from the cluster; creating it again", tenant.path
            )
            self._ensured_tenants.discard(tenant.path)
            return make(self._ensured_tenant(volume))
