# SPDX-License-Identifier: Apache-2.0
"""End this host's access to a container; the access list's lock is held."""

from __future__ import annotations

from oslo_log import log as logging

from datera_backup.storage.host import Initiator
from datera_volume.connection import AppInstance, DateraError, Tenant, fold_iqn

LOG = logging.getLogger(__name__)


def deny(tenant: Tenant, ai: AppInstance, initiator: Initiator) -> AppInstance:
    """Remove the initiator, and set the container offline if nobody else uses it.

    :param ai: the container as it is now.
    :returns: the container as it is afterwards.
    """
    # The cluster may list it in other letters than it was given, and know it by those alone.
    mine = fold_iqn(initiator.iqn)
    listed = [iqn for iqn in ai.storage_instance.initiators if fold_iqn(iqn) == mine]
    for iqn in listed or [initiator.iqn]:
        tenant.deny_initiator(ai.storage_instance, iqn)
    return set_offline_if_unused(tenant, tenant.app_instance(ai.id))


def denied_as_given(tenant: Tenant, attached: AppInstance, initiator: Initiator) -> bool:
    """Do the same in the letters in which access was given, without looking first.

    :param attached: the container as it was when it was attached.
    :returns: False if that is not certain to have removed the initiator.
    """
    try:
        tenant.deny_initiator(attached.storage_instance, initiator.iqn)
        ai = tenant.app_instance(attached.id)
    except DateraError as doubt:
        LOG.debug("Container %s is looked for before it is detached: %s", attached.name, doubt)
        return False
    if ai.storage_instance.allows(initiator.iqn):
        return False
    set_offline_if_unused(tenant, ai)
    return True


def set_offline_if_unused(tenant: Tenant, ai: AppInstance) -> AppInstance:
    """Set the container offline if its access list is empty, and return it as it is then."""
    if ai.online and not ai.has_initiators:
        return tenant.set_offline(ai)
    return ai
