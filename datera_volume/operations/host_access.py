# SPDX-License-Identifier: Apache-2.0
"""Granting hosts access to a volume, and revoking it: the ACL contains attached hosts only."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from oslo_log import log as logging

from datera_volume.connection import (
    AppInstance,
    CertificateRefused,
    DateraError,
    LoginRefused,
    Retriable,
    StorageInstance,
    Tenant,
    first_portal,
    fold_iqn,
    target_properties,
)
from datera_volume.operations.chap import Chap, Credentials, terms_of
from datera_volume.operations.host_initiators import HostInitiators
from datera_volume.operations.lookup import instance_of

LOG = logging.getLogger(__name__)


def attach(
    tenant: Tenant,
    volume_id: str,
    connector: Mapping[str, Any],
    *,
    chap: Chap | None,
    initiators: HostInitiators | None = None,
    round_robin: bool = False,
    choose: Callable[[Sequence[str]], str] = random.choice,
) -> dict[str, Any]:
    """Grant the connector's initiator access to a volume; return the connection properties.

    As :func:`grant`, and:

    :raises NotOnCluster: the volume does not exist.
    """
    ai = instance_of(tenant, volume_id)
    return grant(
        tenant,
        ai,
        volume_id,
        connector,
        chap=chap,
        initiators=initiators,
        round_robin=round_robin,
        choose=choose,
    )


def grant(
    tenant: Tenant,
    ai: AppInstance,
    volume_id: str,
    connector: Mapping[str, Any],
    *,
    chap: Chap | None,
    initiators: HostInitiators | None = None,
    round_robin: bool = False,
    choose: Callable[[Sequence[str]], str] = random.choice,
) -> dict[str, Any]:
    """Grant the connector's initiator access to an app instance; return the connection properties.

    :param choose: picks the portal where ``round_robin`` is set.
    :param chap: CHAP as the backend's section sets it.
    :param initiators: locks the initiator, so that it is not removed meanwhile.
    :raises LimitReached: the cluster has reached its limit of initiators.
    :raises NotOnCluster: the app instance is gone.
    :raises NotReadyInTime: its target did not become available.
    :raises SecretUnknown: it is in use with an unknown CHAP secret.
    """
    initiators = initiators or HostInitiators()
    iqn = str(connector["initiator"])
    storage = ai.storage_instance
    was_in = iqn in storage.initiators
    # In another case it is added for itself: an array need not fold case.
    host_was_in = storage.allows(iqn)
    terms = terms_of(ai, chap)
    if terms.to_set:
        # Before access is granted: while a host has access, credentials are not changed.
        _set_chap(tenant, storage, terms.credentials)
    elif terms.credentials is not None:
        # Set by another process, or before a restart.
        tenant.mask_chap(storage, terms.credentials.secret)
    try:
        if not was_in and not storage.open_to_all:
            initiators.allow(tenant, storage, iqn, str(connector.get("host") or iqn))
        if not ai.available:
            storage = tenant.set_online(ai).storage_instance
        return _properties(
            storage,
            volume_id,
            multipath=bool(connector.get("multipath")),
            credentials=terms.credentials,
            choose=choose if round_robin else first_portal,
        )
    except (LoginRefused, CertificateRefused):
        # The cluster cannot be accessed: a further request would fail, too.
        raise
    except Exception as exc:
        if not host_was_in and not storage.open_to_all:
            # The busy timeout is exhausted already.
            asking = tenant.at_once() if isinstance(exc, Retriable) else tenant
            if _revoked(asking, ai, iqn):
                initiators.remove_unused(asking, [iqn])
        raise


def detach(tenant: Tenant, volume_id: str, iqn: str | None) -> tuple[str, ...]:
    """Revoke an initiator's access to a volume, or everybody's where it is None: :func:`revoke`.

    :raises NotOnCluster: the volume does not exist.
    """
    return revoke(tenant, instance_of(tenant, volume_id), None if iqn is None else [iqn])


def revoke(tenant: Tenant, ai: AppInstance, iqns: Iterable[str] | None) -> tuple[str, ...]:
    """Revoke the access of initiators, or of all where it is None; with none left, set it offline.

    A volume that is open to all stays online: its other users are unknown here.

    :returns: those that had access.
    :raises NotOnCluster: the app instance is gone.
    """
    storage = ai.storage_instance
    named = set(map(fold_iqn, storage.initiators if iqns is None else iqns))
    leaving = tuple(iqn for iqn in storage.initiators if fold_iqn(iqn) in named)
    for iqn in leaving:
        tenant.deny_initiator(storage, iqn)
    staying = set(storage.initiators) - set(leaving)
    closed = not storage.open_to_all
    if closed and not staying and not storage.initiator_groups and ai.online:
        tenant.set_offline(ai)
    return leaving


def _set_chap(tenant: Tenant, storage: StorageInstance, credentials: Credentials | None) -> None:
    if credentials is None:
        tenant.set_chap(storage, None, None)
    else:
        tenant.set_chap(storage, credentials.username, credentials.secret)


def _properties(
    storage: StorageInstance,
    volume_id: str,
    *,
    multipath: bool,
    credentials: Credentials | None,
    choose: Callable[[Sequence[str]], str],
) -> dict[str, Any]:
    data = target_properties(storage, multipath=multipath, choose=choose)
    data["volume_id"] = volume_id
    if credentials is not None:
        data |= {
            "auth_method": "CHAP",
            "auth_username": credentials.username,
            "auth_password": credentials.secret,
        }
    return {"driver_volume_type": "iscsi", "data": data}


def _revoked(tenant: Tenant, ai: AppInstance, iqn: str) -> bool:
    """Revoke access after a failed attachment, which is the failure to raise."""
    try:
        tenant.deny_initiator(ai.storage_instance, iqn)
    except DateraError as exc:
        LOG.warning("Initiator %s may still be in the ACL of %s: %s", iqn, ai.name, exc)
        return False
    return True
