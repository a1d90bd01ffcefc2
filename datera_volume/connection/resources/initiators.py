# SPDX-License-Identifier: Apache-2.0
"""The initiator objects of a cluster: one for each host and tenant, limited in number.

One is created when it is first added to an ACL, and can be removed once no ACL contains it. Hosts
attach and detach concurrently: an initiator that was just found may be removed before it is used,
and an unused one may be used the next moment.
"""

from __future__ import annotations

import re
from typing import Any

from datera_volume.connection.cluster_limits import room_for
from datera_volume.connection.errors import (
    AlreadyOnCluster,
    DateraError,
    NotOnCluster,
    OutcomeUnknown,
    RequestRefused,
    UnexpectedAnswer,
)
from datera_volume.connection.names import fold_iqn
from datera_volume.connection.resources.adapter import TenantAdapter
from datera_volume.connection.resources.parsing import app_instance, members_in
from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.paths import ROOT, child

LOG = tracing.logger(__name__)

COLLECTION = "/initiators"
GROUPS = "/initiator_groups"
APP_INSTANCES = "/app_instances"
CREATE_ATTEMPTS = 2
FREE_INITIATORS = "Remove initiators that are in no ACL from the cluster"


def ensure(adapter: TenantAdapter, iqn: str, name: str) -> DateraError | None:
    """Create this tenant's own initiator if it is missing; return why it may still be.

    A tenant sees its parent's initiators too, but must not use them. The root tenant has no parent:
    there a process asks once, and an initiator that was removed since is missed when it is used.

    :raises LimitReached: the cluster has reached its limit of initiators.
    """
    known = adapter.session.own_initiators if adapter.tenant == ROOT else set()
    if iqn in known:
        return None
    doubt = None if _is_own(adapter, iqn) else create(adapter, iqn, name)
    if doubt is None:
        known.add(iqn)
    return doubt


def _is_own(adapter: TenantAdapter, iqn: str) -> bool:
    try:
        fields = adapter.get(child(COLLECTION, iqn))
    except NotOnCluster:
        return False
    return bool(fields.get("tenant", adapter.tenant) == adapter.tenant)


def create(adapter: TenantAdapter, iqn: str, name: str) -> DateraError | None:
    """Create this tenant's own initiator, or find it; return why it may still be missing.

    :raises LimitReached: the cluster has reached its limit of initiators.
    """
    doubt: DateraError | None = None
    body: dict[str, Any] = {"id": iqn, "name": _accepted(name)}
    if adapter.dialect.initiator_force:
        body["force"] = True
    for _attempt in range(CREATE_ATTEMPTS):
        try:
            with room_for(f"initiator {iqn}", FREE_INITIATORS):
                adapter.post(COLLECTION, body)
        except AlreadyOnCluster:
            # Created by a request whose response was lost, or for another attachment to this host.
            return None
        except (OutcomeUnknown, UnexpectedAnswer) as exc:
            # Creating it twice is harmless; adding it to an ACL will show whether it exists.
            LOG.warning("Initiator %s may not have been created: %s", iqn, exc)
            doubt = exc
        else:
            return None
    return doubt


def remove(adapter: TenantAdapter, iqn: str, named: str) -> bool:
    """Delete this tenant's own initiator, as :meth:`Access.remove_initiator` promises."""
    path = child(COLLECTION, iqn)
    adapter.session.own_initiators.discard(iqn)
    try:
        fields = adapter.get(path)
    except NotOnCluster:
        return False
    own = fields.get("tenant") == adapter.tenant and str(fields.get("name", "")).startswith(named)
    if not own or _is_needed(adapter, iqn):
        return False
    try:
        adapter.delete(path)
    except NotOnCluster:
        return False
    except (AlreadyOnCluster, RequestRefused) as exc:
        # Added to an ACL since it was looked for.
        LOG.debug("Initiator %s is kept: %s", iqn, exc)
        return False
    LOG.info("Removed the initiator %s from %s: it is in no ACL any more", iqn, adapter.tenant)
    return True


def _is_needed(adapter: TenantAdapter, iqn: str) -> bool:
    """Whether an ACL or an initiator group of the tenant contains it.

    :raises UnexpectedAnswer: a response lacks an ACL or the members of a group.
    """
    instances = map(app_instance, adapter.all(APP_INSTANCES))
    named = fold_iqn(iqn)
    if any(
        named in map(fold_iqn, si.initiators) for ai in instances for si in ai.storage_instances
    ):
        return True
    return any(named in map(fold_iqn, members_in(group)) for group in adapter.all(GROUPS))


def _accepted(name: str) -> str:
    """Return a name as the cluster accepts it: 3 to 128 letters, digits, blanks and ``_-.``."""
    plain = re.sub(r"[^A-Za-z0-9_\-. ]", "-", name)
    return plain[:128] if re.match(r"[A-Za-z_].{2}", plain) else f"host-{plain}"[:128]
