# SPDX-License-Identifier: Apache-2.0
"""Access control of targets: checked at a login, and again when an ACL changes."""

from __future__ import annotations

import hmac

from datera_emulator.documents import Document
from datera_emulator.rules.passing import attempt
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.conditions import op_state_of
from datera_emulator.state.model import AppInstance, StorageInstance, Volume


class LoginRefused(Exception):
    """A target refused a login; ``reason`` is a code for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def admit(cluster: Cluster, wish: Document) -> tuple[AppInstance, StorageInstance, Volume]:
    """Return the target of a login, checked as a target checks it.

    :raises LoginRefused: a check failed; the reason is that of the first.
    """
    found = cluster.target(wish["target"])
    if found is None:
        raise LoginRefused("target-not-found", f"no target {wish['target']}")
    instance, storage = found
    if op_state_of(cluster, instance, storage) != "available":
        attempt(instance, storage)
        raise LoginRefused("target-unavailable", f"target {storage.iqn} is not available")
    if storage.refused_logins:
        storage.refused_logins -= 1
        raise LoginRefused("target-not-ready", f"target {storage.iqn} has not applied its ACL yet")
    if not lets_in(cluster, instance, storage, wish["initiator"]):
        raise LoginRefused(
            "initiator-not-allowed", f"initiator {wish['initiator']} is not in the ACL"
        )
    if storage.auth.type != "none" and not _proves(storage, wish):
        raise LoginRefused("authentication-failed", f"CHAP failed at target {storage.iqn}")
    volumes = list(storage.volumes.values())
    lun = wish["lun"]
    if not isinstance(lun, int) or not 0 <= lun < len(volumes):
        raise LoginRefused("lun-not-found", f"target {storage.iqn} has no LUN {lun}")
    return instance, storage, volumes[lun]


def lets_in(
    cluster: Cluster, instance: AppInstance, storage: StorageInstance, initiator: str
) -> bool:
    """Return whether the ACL contains an initiator, directly or in a group."""
    initiator = cluster.initiator_id(initiator)
    if storage.access_control_mode == "allow_all" or initiator in storage.initiators:
        return True
    groups = (cluster.initiator_groups.get((instance.tenant, g)) for g in storage.initiator_groups)
    return any(group is not None and initiator in group.members for group in groups)


def acl_changed(cluster: Cluster, instance: AppInstance, storage: StorageInstance) -> None:
    """Drop the sessions that the ACL no longer allows, if the switches say so.

    From then on a target refuses as many logins as an injected fault asks for.
    """
    storage.refused_logins = cluster.login_faults.after_acl_change
    if cluster.switches.acl_removal_drops_sessions:
        cluster.sessions.drop(
            lambda session: (
                session.iqn == storage.iqn
                and not lets_in(cluster, instance, storage, session.initiator)
            )
        )


def _proves(storage: StorageInstance, wish: Document) -> bool:
    user, secret = wish.get("user") or "", wish.get("secret") or ""
    return user == storage.auth.target_user_name and hmac.compare_digest(
        secret.encode(), storage.auth.target_pswd.encode()
    )
