# SPDX-License-Identifier: Apache-2.0
"""Letting hosts in to a volume, and out again. Nobody is in the access list who is not attached."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oslo_log import log as logging

from datera_volume.chap import Chap, Login, terms_of
from datera_volume.connection import (
    AppInstance,
    CertificateRefused,
    DateraError,
    LoginRefused,
    Retriable,
    StorageInstance,
    Tenant,
    UnexpectedAnswer,
)
from datera_volume.lookup import instance_of

LOG = logging.getLogger(__name__)

ISCSI_PORT = 3260
# Each storage instance of ours has one volume.
LUN = 0


def attach(
    tenant: Tenant,
    volume_id: str,
    connector: Mapping[str, Any],
    *,
    chap: Chap | None,
    round_robin: bool = False,
    choose: Callable[[Sequence[str]], str] = random.choice,
) -> dict[str, Any]:
    """Let the connector's initiator in and return how it finds the volume.

    :param choose: picks the portal to begin with where ``round_robin`` is set.
    :param chap: how the backend's section has it.
    :raises NotOnCluster: the volume does not exist.
    :raises NotReadyInTime: its target did not become available.
    :raises SecretUnknown: it is in use with a CHAP secret that cannot be known here.
    """
    iqn = str(connector["initiator"])
    ai = instance_of(tenant, volume_id)
    storage = ai.storage_instance
    was_in = iqn in storage.initiators
    terms = terms_of(ai, chap)
    if terms.to_set:
        # Before anybody is let in, whose being there would keep it from being set later.
        _set_chap(tenant, storage, terms.login)
    try:
        if not was_in and not storage.open_to_all:
            tenant.allow_initiator(storage, iqn, f"OpenStack-{connector.get('host') or iqn}")
        if not ai.available:
            storage = tenant.set_online(ai).storage_instance
        return _properties(
            storage,
            volume_id,
            multipath=bool(connector.get("multipath")),
            login=terms.login,
            choose=choose if round_robin else _first,
        )
    except (LoginRefused, CertificateRefused):
        # There is no way to the cluster, and no use in asking for one.
        raise
    except Exception as exc:
        if not was_in and not storage.open_to_all:
            # The operator's patience has been spent on what failed.
            _shut_out(tenant.at_once() if isinstance(exc, Retriable) else tenant, ai, iqn)
        raise


def detach(tenant: Tenant, volume_id: str, iqn: str | None) -> None:
    """Let an initiator in no longer, or nobody where it is None; without any, switch it off.

    A volume that is open to all stays on: who else uses it, nobody here knows.

    :raises NotOnCluster: the volume does not exist.
    """
    ai = instance_of(tenant, volume_id)
    storage = ai.storage_instance
    leaving = storage.initiators if iqn is None else (iqn,)
    for initiator in leaving:
        if initiator in storage.initiators:
            tenant.deny_initiator(storage, initiator)
    staying = set(storage.initiators) - set(leaving)
    closed = not storage.open_to_all
    if closed and not staying and not storage.initiator_groups and ai.online:
        tenant.set_offline(ai)


def _first(portals: Sequence[str]) -> str:
    return portals[0]


def _set_chap(tenant: Tenant, storage: StorageInstance, login: Login | None) -> None:
    if login is None:
        tenant.set_chap(storage, None, None)
    else:
        tenant.set_chap(storage, login.username, login.secret)


def _properties(
    storage: StorageInstance,
    volume_id: str,
    *,
    multipath: bool,
    login: Login | None,
    choose: Callable[[Sequence[str]], str],
) -> dict[str, Any]:
    portals = [_portal(ip) for ip in storage.ips]
    if not portals or not storage.iqn:
        raise UnexpectedAnswer(f"Volume {volume_id} is online without a portal or a target's name")
    data: dict[str, Any] = {
        "target_discovered": False,
        "target_portal": choose(portals),
        "target_iqn": storage.iqn,
        "target_lun": LUN,
        "volume_id": volume_id,
        "discard": False,
    }
    if multipath:
        data |= {
            "target_portals": portals,
            "target_iqns": [storage.iqn] * len(portals),
            "target_luns": [LUN] * len(portals),
        }
    if login is not None:
        data |= {
            "auth_method": "CHAP",
            "auth_username": login.username,
            "auth_password": login.secret,
        }
    return {"driver_volume_type": "iscsi", "data": data}


def _portal(ip: str) -> str:
    return f"[{ip}]:{ISCSI_PORT}" if ":" in ip else f"{ip}:{ISCSI_PORT}"


def _shut_out(tenant: Tenant, ai: AppInstance, iqn: str) -> None:
    """Take an initiator out again whose attachment failed; that failure is the one to tell."""
    try:
        tenant.deny_initiator(ai.storage_instance, iqn)
    except DateraError as exc:
        LOG.warning("Initiator %s may still be let in to %s: %s", iqn, ai.name, exc)
