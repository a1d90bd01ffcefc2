# SPDX-License-Identifier: Apache-2.0
"""What every operation of the driver stands on: the section, the cluster, the tenant, the type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cinder import exception
from cinder.volume import driver
from cinder.volume.drivers.san import san
from oslo_log import log as logging

from datera_volume import metadata, naming, opts
from datera_volume.connection import AppInstance, Cluster, Tenant, tracing
from datera_volume.provisioning import Wanted
from datera_volume.settings import BackendSettings, read_settings
from datera_volume.specs import TypeSpecs
from datera_volume.translation import cinder_errors

LOG = logging.getLogger(__name__)


class Backend(driver.ISCSIDriver):
    """A volume driver of one section of cinder.conf, without any operation on volumes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(san.san_opts)
        opts.register(self.configuration)
        self._settings: BackendSettings | None = None
        self._cluster: Cluster | None = None
        self._tenants_made: set[str] = set()

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

    @property
    def _types(self) -> TypeSpecs:
        """What volumes' types say here."""
        settings = self.settings
        return TypeSpecs(settings.type_defaults, one_replica=settings.one_replica)

    @contextmanager
    def _doing(self, what: str, name: str) -> Iterator[None]:
        """Translate errors, mark what is logged meanwhile, and tell what it cost."""
        doing = what % name
        level = self.settings.timing_level
        with tracing.call(doing, LOG, level=level), cinder_errors(doing):
            yield

    def _tenant(self, volume: Any) -> Tenant:
        """The tenant that a volume lies in: its project's, or the one it was found or left in."""
        return self.cluster.tenant(naming.remembered_tenant(volume) or self._own_path(volume))

    def _own_path(self, volume: Any) -> str:
        return naming.tenant_for(self.settings.tenant, volume.project_id)

    def _remembered(self, volume: Any, tenant: Tenant) -> dict[str, Any]:
        """What Cinder must keep of a volume that lies in this tenant, so that it is found again."""
        return {"provider_id": None if tenant.path == self._own_path(volume) else tenant.path}

    def _wanted(self, volume: Any) -> Wanted:
        # The name_id differs from the id after a migration only, never for a new volume.
        policies = self._types.policies(volume.volume_type_id)
        override = self.settings.template_override
        return Wanted(volume.name_id, volume.size, policies, override_size=override)

    def _note(self, tenant: Tenant, ai: AppInstance, volume: Any) -> None:
        """Write what Cinder knows of a volume beside it, unless the operator does not want that."""
        if self.settings.extended_metadata:
            metadata.note(tenant, ai, volume)

    def _tenant_made(self, volume: Any) -> Tenant:
        tenant = self._tenant(volume)
        if tenant.path not in self._tenants_made:
            tenant.ensure()
            self._tenants_made.add(tenant.path)
        return tenant
