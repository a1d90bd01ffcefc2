# SPDX-License-Identifier: Apache-2.0
"""Changes that some products allow only while a volume is switched off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from oslo_log import log as logging

from datera_volume.connection import (
    AppInstance,
    DateraError,
    RequestInvalid,
    RequestRefused,
    Tenant,
)

LOG = logging.getLogger(__name__)


def nobody_is_let_in(ai: AppInstance) -> bool:
    """Whether no host is in the access list; of a volume open to all that says nothing."""
    storage = ai.storage_instance
    return not storage.initiators and not storage.initiator_groups


def change(tenant: Tenant, ai: AppInstance, make: Callable[[], None]) -> None:
    """Make a change; offline, where the cluster refuses it online and nobody is attached.

    :raises RequestRefused: the cluster does not allow it, or not under those who are attached; the
        volume is as it was.
    """
    try:
        make()
    except RequestInvalid:
        raise
    except RequestRefused:
        if not ai.online or not nobody_is_let_in(ai):
            raise
        with switched_off(tenant, ai):
            make()


@contextmanager
def switched_off(tenant: Tenant, ai: AppInstance) -> Iterator[None]:
    """Have nobody use it inside.

    Afterwards it stays offline, which is where a volume belongs that nobody is attached to; one
    that is open to all goes online again, as does any after a failure.

    :raises RequestRefused: it is open to all, and somebody uses it.
    """
    if not ai.online:
        yield
        return
    tenant.set_offline(ai, force=not ai.storage_instance.open_to_all)
    try:
        yield
    except Exception:
        try:
            tenant.set_online(ai)
        except DateraError as exc:
            LOG.warning("App instance %s stays offline: %s", ai.name, exc)
        raise
    if ai.storage_instance.open_to_all:
        tenant.set_online(ai)
