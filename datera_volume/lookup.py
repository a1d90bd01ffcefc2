# SPDX-License-Identifier: Apache-2.0
"""Finding a volume's app instance, exactly."""

from __future__ import annotations

from datera_volume import naming
from datera_volume.connection import AppInstance, NotOnCluster, Tenant, UnexpectedAnswer


def instance_of(tenant: Tenant, volume_id: str) -> AppInstance:
    """Return the app instance of a volume: by its own name, else one of the in-tree driver's.

    :raises NotOnCluster: there is none; the text names the volume and the tenant.
    :raises UnexpectedAnswer: there is more than one.
    """
    try:
        return tenant.app_instance(naming.instance_name(volume_id))
    except NotOnCluster:
        pass
    found = [
        ai
        for ai in tenant.app_instances(naming.instance_pattern(volume_id))
        if naming.is_instance_name(ai.name, volume_id)
    ]
    if not found:
        raise NotOnCluster(f"Volume {volume_id} does not exist in the tenant {tenant.path}")
    if len(found) > 1:
        names = ", ".join(ai.name for ai in found)
        raise UnexpectedAnswer(f"Volume {volume_id} is more than one app instance: {names}")
    return found[0]
