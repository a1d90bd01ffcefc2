# SPDX-License-Identifier: Apache-2.0
"""Find a container on the cluster, or prove that it is gone.

One "not found" proves nothing: a cluster answers that to every question about a tenant that it does
not have, and a proxy or a restarting node says it of anything. Whoever takes it for "gone" deletes
a record whose data stay behind. Gone is what a tenant that exists does not list, twice.
"""

from __future__ import annotations

from oslo_log import log as logging

from datera_backup.errors import AbsenceUnproven, ContainerGone
from datera_volume.connection import AppInstance, NotOnCluster, Tenant

LOG = logging.getLogger(__name__)

LISTINGS = 2
"""How many lists of a tenant must lack a container."""


def found(tenant: Tenant, name: str, address: str) -> AppInstance:
    """Return the app instance of this name.

    :param address: the cluster's host and port, for messages.
    :raises ContainerGone: it is proven not to be there.
    :raises AbsenceUnproven: the cluster does not find it, but that proves nothing.
    """
    try:
        return tenant.app_instance(name)
    except NotOnCluster as missing:
        LOG.debug("Looking whether container %s is gone: %s", name, missing)
    for _listing in range(LISTINGS):
        listed = _in_list(tenant, name, address)
        if listed is not None:
            LOG.warning("%s did not find container %s, but lists it", address, name)
            return listed
    raise ContainerGone(f"Container {name} is not in tenant {tenant.path} of {address}")


def _in_list(tenant: Tenant, name: str, address: str) -> AppInstance | None:
    doubt = f"Not known whether container {name} is gone: cluster {address}"
    try:
        # A user who works in a tenant need not be allowed to look at tenants (None); what the
        # tenant lists counts all the same, as one that does not exist lists nothing but an error.
        if tenant.exists() is False:
            raise AbsenceUnproven(
                f"{doubt} has no tenant {tenant.path}, where its record says it is. Check "
                f"backup_datera_san_ip, and that the tenant was not renamed"
            )
        # All of them: whether the cluster filters as it is asked to is not sure enough here.
        instances = tenant.app_instances()
    except NotOnCluster as silent:
        raise AbsenceUnproven(
            f"{doubt} does not list tenant {tenant.path} ({silent}). Try again when it answers"
        ) from silent
    return next((ai for ai in instances if ai.name == name and _lies_in(ai, tenant)), None)


def _lies_in(ai: AppInstance, tenant: Tenant) -> bool:
    return not ai.tenant or ai.tenant == tenant.path
