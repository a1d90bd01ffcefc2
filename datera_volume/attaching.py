# SPDX-License-Identifier: Apache-2.0
"""The driver's part that lets hosts in to volumes and shuts them out again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cinder import context as cinder_context
from cinder import coordination, exception, objects
from oslo_log import log as logging

from datera_volume import attachment
from datera_volume.backend import Backend
from datera_volume.connection import NotOnCluster
from datera_volume.guests import Guests, Record

LOG = logging.getLogger(__name__)

# In any other state Cinder itself may be attached too, without a record: copying to an image, say.
USED_BY_INSTANCES_ALONE = ("in-use", "detaching")
# In these, one cinder-backup and nobody else begins to use it. What one that died had attached,
# Cinder does not detach.
USED_BY_ONE_BACKUP = ("backing-up", "restoring-backup")


class Attaching(Backend):
    """Connections of hosts to volumes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guests = Guests()

    def ensure_export(self, context: Any, volume: Any) -> None:
        """Nothing: what is attached stays so on the cluster while this service restarts."""

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        """Nothing: a host is let in when it connects, and nobody is let in before."""

    def remove_export(self, context: Any, volume: Any) -> None:
        """Nothing: a host is shut out when it disconnects."""

    def initialize_connection(
        self, volume: Any, connector: Mapping[str, Any], initiator_data: Any = None
    ) -> dict[str, Any]:
        """Let the connector's host in, and say how it finds the volume."""
        with (
            self._doing("Attaching volume %s", volume.id),
            self._attachments_of(volume),
            self._guests.arriving(
                volume.id,
                connector,
                _records_of(volume.id),
                again=volume.status in USED_BY_ONE_BACKUP,
            ),
        ):
            return attachment.attach(
                self._tenant(volume),
                volume.name_id,
                connector,
                chap=self.settings.chap,
                round_robin=self._types.round_robin(volume),
            )

    def validate_connector(self, connector: Mapping[str, Any]) -> None:
        """Refuse a host that has no initiator's name.

        :raises InvalidConnectorException: it has none, or an empty one.
        """
        if not connector.get("initiator"):
            raise exception.InvalidConnectorException(missing="initiator")

    def terminate_connection(
        self, volume: Any, connector: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        """Shut a host out, or every host where ``connector`` is None.

        :returns: whether another attachment of the same host remains, and with it the connection.
        """
        force = bool(kwargs.get("force"))
        with self._doing("Detaching volume %s", volume.id), self._attachments_of(volume):
            if connector is None:
                self._shut_out(volume, None, force=force)
                self._guests.everybody_left(volume.id)
                return False
            iqn = connector.get("initiator")
            if not iqn:
                LOG.debug("Volume %s: a host without an initiator was never let in.", volume.id)
                return False
            with self._guests.leaving(volume.id, connector, _records_of(volume.id)) as staying:
                if staying.from_host > 0:
                    LOG.debug("Volume %s: another attachment of %s remains.", volume.id, iqn)
                    return True
                # Cinder's in-tree driver may have left hosts in the list that went long ago.
                all_of_them = staying.nobody and volume.status in USED_BY_INSTANCES_ALONE
                self._shut_out(volume, None if all_of_them else iqn, force=force)
            return False

    def clean_volume_file_locks(self, volume_id: str) -> None:
        """Remove what the lock on a deleted volume's attachments left on disk."""
        coordination.COORDINATOR.remove_lock(_lock_name(volume_id))

    def _shut_out(self, volume: Any, iqn: str | None, *, force: bool) -> None:
        try:
            attachment.detach(self._tenant(volume), volume.name_id, iqn)
        except NotOnCluster as exc:
            if not force:
                raise
            LOG.warning("Nothing to detach: %s", exc)

    @contextmanager
    def _attachments_of(self, volume: Any) -> Iterator[None]:
        """One at a time: who goes must not switch off what another is just being let in to."""
        with coordination.COORDINATOR.get_lock(_lock_name(volume.id)):
            yield


def _lock_name(volume_id: str) -> str:
    return f"datera-attachments-{volume_id}"


def _records_of(volume_id: str) -> list[Record]:
    attachments = objects.VolumeAttachmentList.get_all_by_volume_id(
        cinder_context.get_admin_context(), volume_id
    )
    return [Record(a.id, a.connector) for a in attachments]
