# SPDX-License-Identifier: Apache-2.0
"""The initiators of hosts: created with their first attachment, removed with their last.

An array has a limit of initiators, and with a tenant for each project a host needs one in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from oslo_log import log as logging

from datera_volume.connection import StorageInstanceRef, Tenant

LOG = logging.getLogger(__name__)

NAME_PREFIX = "OpenStack-"
"""Name prefix of the initiators that this driver has created, and may remove."""

# Returns the lock of an initiator in a tenant.
Lock = Callable[[Tenant, str], AbstractContextManager[object]]


class HostInitiators:
    """The initiators of hosts, in all tenants.

    :param lock: excludes others from allowing or removing an initiator meanwhile.
    """

    def __init__(self, lock: Lock = lambda _tenant, _iqn: nullcontext()) -> None:
        self._lock = lock

    def allow(self, tenant: Tenant, storage: StorageInstanceRef, iqn: str, host: str) -> None:
        """Add a host's initiator to the ACL.

        :raises LimitReached: the cluster has reached its limit of initiators.
        :raises NotOnCluster: there is no such storage instance.
        """
        with self._lock(tenant, iqn):
            tenant.allow_initiator(storage, iqn, f"{NAME_PREFIX}{host}")

    def remove_unused(
        self,
        tenant: Tenant,
        iqns: Iterable[str],
        known_elsewhere: Callable[[str], bool] = lambda _iqn: False,
    ) -> None:
        """Remove those of these initiators that are in no ACL any more.

        A failure is logged only: the host is detached, and removal is retried with its next
        detachment.

        :param known_elsewhere: whether an initiator is known to be in another ACL, as far as that
            can be found out without listing all ACLs.
        """
        for iqn in iqns:
            try:
                if known_elsewhere(iqn):
                    continue
                with self._lock(tenant, iqn):
                    tenant.remove_initiator(iqn, NAME_PREFIX)
            # Whatever fails, even a lock: the detachment itself has succeeded.
            except Exception as exc:
                LOG.warning("Initiator %s may be left in %s: %s", iqn, tenant.path, exc)
