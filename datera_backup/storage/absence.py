# SPDX-License-Identifier: Apache-2.0
"""Find a container on the cluster, or prove that it was deleted."""

from __future__ import annotations

from oslo_log import log as logging

from datera_backup.errors import ContainerAbsenceUnproven, ContainerGone
from datera_volume import connection
from datera_volume.connection import AppInstance, NotOnCluster, Tenant, TenantMissing, absence

LOG = logging.getLogger(__name__)


def found(tenant: Tenant, name: str, address: str) -> AppInstance:
    """Return the app instance of this name.

    :param address: the cluster's host and port, for messages.
    :raises ContainerGone: it is proven not to exist.
    :raises ContainerAbsenceUnproven: the cluster does not find it, but that proves nothing.
    """
    try:
        return tenant.app_instance(name)
    except NotOnCluster as missing:
        LOG.debug("Looking whether container %s is gone: %s", name, missing)
    doubt = f"Unknown whether container {name} is deleted"
    try:
        listed = absence.listed(tenant, lambda ai: ai.name == name)
    except TenantMissing as missing:
        raise ContainerAbsenceUnproven(
            f"{doubt}: {missing}, which its record names. Check backup_datera_san_ip, and "
            f"that the tenant was not renamed"
        ) from missing
    except connection.AbsenceUnproven as silent:
        raise ContainerAbsenceUnproven(f"{doubt}: {silent}. Try again when it answers") from silent
    if not listed:
        raise ContainerGone(f"Container {name} is not in tenant {tenant.path} of {address}")
    LOG.warning("%s did not find container %s, but lists it", address, name)
    return listed[0]
