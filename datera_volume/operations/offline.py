# SPDX-License-Identifier: Apache-2.0
"""Changes that some products allow only while a volume is offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from oslo_log import log as logging

from datera_volume.connection import (
    AppInstance,
    CertificateRefused,
    DateraError,
    LoginRefused,
    NotOnCluster,
    NotReadyInTime,
    OutcomeUnknown,
    RequestInvalid,
    RequestRefused,
    Retriable,
    Tenant,
)

LOG = logging.getLogger(__name__)

# An immediate retry would be useless, or the busy timeout is exhausted.
FINAL = (Retriable, OutcomeUnknown, NotReadyInTime, NotOnCluster, LoginRefused, CertificateRefused)


def change(tenant: Tenant, ai: AppInstance, make: Callable[[], None]) -> None:
    """Make a change; offline, where the cluster refuses it online and no host is attached.

    :raises RequestRefused: the cluster does not allow it, or not while a host is attached; the
        volume is unchanged.
    """
    try:
        make()
    except RequestInvalid:
        raise
    except RequestRefused:
        if not ai.online or ai.has_initiators:
            raise
        with taken_offline(tenant, ai):
            make()


@contextmanager
def taken_offline(
    tenant: Tenant, ai: AppInstance, *, closing: bool = False
) -> Iterator[AppInstance]:
    """Take it offline while the block runs; yield it as it then is.

    Afterwards it stays offline, as any volume that is not attached; one that is open to all is set
    online again, as is any after a failure. If that fails, it is logged only: the change is done,
    and attaching sets it online.

    :param closing: the block restricts it to its ACL, so that it stays offline.
    :raises RequestRefused: it is open to all, and in use.
    """
    if not ai.online:
        yield ai
        return
    try:
        yield tenant.set_offline(ai, force=not ai.storage_instance.open_to_all)
    except Exception:
        # It may be offline: the request may have failed after taking effect.
        _try_online(tenant, ai)
        raise
    if ai.storage_instance.open_to_all and not closing:
        _try_online(tenant, ai)


def set_online_again(tenant: Tenant, ai: AppInstance) -> None:
    """Set it online again if it was online before and is not any more.

    :param ai: its previous state.
    """
    if ai.online and not tenant.app_instance(ai.id).online:
        tenant.set_online(ai)


def _try_online(tenant: Tenant, ai: AppInstance) -> None:
    for last in (False, True):
        try:
            tenant.set_online(ai)
            return
        except DateraError as exc:
            if last or isinstance(exc, FINAL):
                LOG.warning("App instance %s stays offline: %s", ai.name, exc)
                return
