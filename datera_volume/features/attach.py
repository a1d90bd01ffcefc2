# SPDX-License-Identifier: Apache-2.0
"""Attaching hosts to volumes, and detaching them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from cinder import context as cinder_context
from cinder import coordination, exception, objects
from oslo_log import log as logging

from datera_volume.connection import (
    AppInstance,
    CertificateRefused,
    DateraError,
    LoginRefused,
    NotOnCluster,
    Retriable,
    Tenant,
    fold_iqn,
    release_lock,
)
from datera_volume.features import attachment_records, locks
from datera_volume.features.base import VolumeBackendBase
from datera_volume.features.locks import attachments_lock, attachments_lock_name
from datera_volume.operations import host_access
from datera_volume.operations.attachment_tracker import AttachmentTracker
from datera_volume.operations.attachment_transitions import TransitionStore
from datera_volume.operations.lookup import VolumeMissing, instance_of

LOG = logging.getLogger(__name__)

# In other states Cinder itself may be attached too, without a record: copying to an image, say.
USED_BY_INSTANCES_ALONE = ("in-use", "detaching")
# In these, every new attachment has a record of its own.
USED_BY_RECORDS = ("reserved", "attaching", *USED_BY_INSTANCES_ALONE)
# In these, only one cinder-backup attaches. Cinder does not detach what a failed one had attached.
USED_BY_ONE_BACKUP = ("backing-up", "restoring-backup")

# How many other volumes of a host are read before listing all app instances of its tenant.
LOOKED_AT = 3


class AttachFeature(VolumeBackendBase):
    """Attaches and detaches hosts."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pending_changes: set[str] = set()
        self._initiators = locks.initiators()

    def ensure_export(self, context: Any, volume: Any) -> None:
        """Do nothing: attachments persist on the cluster while this service restarts."""

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        """Do nothing: access is granted when a host connects."""

    def remove_export(self, context: Any, volume: Any) -> None:
        """Do nothing: access is revoked when a host disconnects."""

    def initialize_connection(
        self, volume: Any, connector: Mapping[str, Any], initiator_data: Any = None
    ) -> dict[str, Any]:
        """Grant the connector's host access, and return the connection properties."""
        with self._operation("Attaching volume %s", volume.id), self._attachments_of(volume):
            tenant = self._tenant(volume)
            ai = instance_of(tenant, volume.name_id)
            store = TransitionStore(tenant, ai)
            tracker = _tracker_of(volume, store)
            with _kept_on_failure(store, tracker):
                tracker.arrive(
                    connector,
                    again=volume.status in USED_BY_ONE_BACKUP,
                    instances=volume.status in USED_BY_RECORDS,
                )
                # First, since the transitions written below do not contain them any more.
                self._revoke_departed(tenant, ai, tracker)
                store.write(tracker.transitions)
                if tracker.may_change:
                    self._pending_changes.add(volume.id)
                return host_access.grant(
                    tenant,
                    ai,
                    volume.name_id,
                    connector,
                    chap=self.settings.chap,
                    initiators=self._initiators,
                    round_robin=self._types.round_robin(volume),
                )

    def validate_connector(self, connector: Mapping[str, Any]) -> None:
        """Refuse a connector without an initiator name.

        :raises InvalidConnectorException: it is missing or empty.
        """
        if not connector.get("initiator"):
            raise exception.InvalidConnectorException(missing="initiator")

    def terminate_connection(
        self, volume: Any, connector: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        """Revoke the access of a host, or of all hosts where ``connector`` is None.

        :returns: whether another attachment of the same host remains, so that it keeps its access.
        """
        force = bool(kwargs.get("force"))
        with self._operation("Detaching volume %s", volume.id):
            iqn = (connector or {}).get("initiator")
            if connector is not None and not iqn:
                LOG.debug(
                    "Volume %s: a host without an initiator has no access to revoke.", volume.id
                )
                return False
            try:
                with self._attachments_of(volume):
                    remains, left = self._leave(volume, connector)
            except VolumeMissing as exc:
                if not force:
                    raise
                LOG.warning("Nothing to detach: %s", exc)
                return False
            self._remove_unused_initiators(volume, left, connector, but_for=volume.id)
            return remains

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        """Return the figures for the scheduler; on refresh, follow up on pending attachments."""
        if refresh:
            self._follow_up_changes()
        return dict(super().get_volume_stats(refresh))

    def clean_volume_file_locks(self, volume_id: str) -> None:
        """Remove the lock file of a deleted volume's attachments."""
        coordination.COORDINATOR.remove_lock(attachments_lock_name(volume_id))

    def _leave(
        self, volume: Any, connector: Mapping[str, Any] | None
    ) -> tuple[bool, Sequence[str]]:
        """Revoke access; return whether the host keeps it, and which initiators lost it."""
        tenant = self._tenant(volume)
        ai = instance_of(tenant, volume.name_id)
        store = TransitionStore(tenant, ai)
        if connector is None:
            left = host_access.revoke(tenant, ai, None)
            store.write(())
            return False, left
        tracker = _tracker_of(volume, store)
        with _kept_on_failure(store, tracker):
            staying = tracker.leave(connector)
            self._revoke_departed(tenant, ai, tracker)
            store.write(tracker.transitions)
            leaving = set(tracker.departed(ai.storage_instance.initiators))
            if staying.from_host > 0:
                LOG.debug("Volume %s: another attachment of the host remains.", volume.id)
            else:
                leaving.add(str(connector["initiator"]))
            # Cinder's in-tree driver may have left detached hosts in the ACL.
            everybody = staying.nobody and volume.status in USED_BY_INSTANCES_ALONE
            left = ()
            if leaving or everybody:
                left = host_access.revoke(tenant, ai, None if everybody else leaving)
        return staying.from_host > 0, left

    def _remove_unused_initiators(
        self,
        volume: Any,
        iqns: Sequence[str],
        connector: Mapping[str, Any] | None,
        *,
        but_for: str | None = None,
    ) -> None:
        """Remove initiators from the cluster that lost access to their last volume."""
        # The host is detached already: a busy cluster is not waited for.
        tenant = self._tenant(volume).at_once()

        def known_elsewhere(iqn: str) -> bool:
            if connector is None or fold_iqn(iqn) != fold_iqn(str(connector.get("initiator"))):
                return False
            others = attachment_records.attached_to(
                connector,
                volume,
                but_for=but_for,
                lies_here=lambda other: self._tenant(other).path == tenant.path,
            )
            # By the records alone, two concurrent detachments would each keep it for the other.
            return any(_lets_in(tenant, other, iqn) for other in islice(others, LOOKED_AT))

        self._initiators.remove_unused(tenant, iqns, known_elsewhere)

    def _follow_up_changes(self) -> None:
        """Revoke the access of hosts whose attachments were given another connector."""
        for volume_id in list(self._pending_changes):
            try:
                volume = objects.Volume.get_by_id(cinder_context.get_admin_context(), volume_id)
                with self._operation("Checking the attachments of volume %s", volume_id):
                    self._follow_up(volume)
            except exception.VolumeNotFound:
                self._pending_changes.discard(volume_id)
            # Whatever fails, even a lock: the scheduler must get its figures.
            except Exception as exc:
                LOG.warning(
                    "The attachments of volume %s will be checked later: %s", volume_id, exc
                )

    def _follow_up(self, volume: Any) -> None:
        lock = attachments_lock(volume.id)
        if not lock.acquire(blocking=False):
            return  # it is being changed: checked next time
        try:
            self._follow_up_locked(volume)
        finally:
            release_lock(lock)

    def _follow_up_locked(self, volume: Any) -> None:
        tenant = self._tenant(volume).at_once()  # it will be checked again
        try:
            ai = instance_of(tenant, volume.name_id)
        except VolumeMissing:
            self._pending_changes.discard(volume.id)
            return
        store = TransitionStore(tenant, ai)
        tracker = _tracker_of(volume, store)
        with _kept_on_failure(store, tracker):
            self._revoke_departed(tenant, ai, tracker)
            store.write(tracker.transitions)
        if not tracker.may_change:
            self._pending_changes.discard(volume.id)

    def _revoke_departed(self, tenant: Tenant, ai: AppInstance, tracker: AttachmentTracker) -> None:
        departed = tracker.departed(ai.storage_instance.initiators)
        for iqn in departed:
            LOG.info(
                "Removing %s from the ACL of %s: its attachment has another host now", iqn, ai.name
            )
            tenant.deny_initiator(ai.storage_instance, iqn)
        self._initiators.remove_unused(tenant.at_once(), departed)

    @contextmanager
    def _attachments_of(self, volume: Any) -> Iterator[None]:
        """Lock a volume's attachments: detaching must not set offline what is being attached."""
        with locks.held(attachments_lock(volume.id), f"volume {volume.id}'s attachments"):
            yield


def _tracker_of(volume: Any, store: TransitionStore) -> AttachmentTracker:
    return AttachmentTracker(
        store.read(), attachment_records.attachments_of(volume.id), time.time()
    )


@contextmanager
def _kept_on_failure(store: TransitionStore, tracker: AttachmentTracker) -> Iterator[None]:
    """Restore the stored transitions if the block fails: it then changed no attachment."""
    try:
        yield
    except (LoginRefused, CertificateRefused):
        # The cluster cannot be accessed: a further request would fail, too.
        raise
    except Exception as exc:
        try:
            store.write(tracker.stored, at_once=isinstance(exc, Retriable))
        except DateraError as again:
            LOG.warning("The transition of a failed attachment is kept until it expires: %s", again)
        raise


def _lets_in(tenant: Tenant, volume: Any, iqn: str) -> bool:
    try:
        return instance_of(tenant, volume.name_id).storage_instance.allows(iqn)
    except NotOnCluster:
        return False
