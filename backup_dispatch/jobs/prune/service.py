# SPDX-License-Identifier: Apache-2.0
"""Asking cinder-backup to delete a backup, as Cinder's API does for a user.

The service deletes what it is asked to however the command ends, and resumes that when it is
started again. It has the locks, the attachments and the watch that a deletion needs.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

from cinder import context as cinder_context
from cinder import objects
from cinder.common import constants
from oslo_config import cfg

from backup_dispatch.errors import DispatchError, reason_of

CONF = cfg.CONF

BUS_ATTEMPTS = 8
"""Attempts, after the first, to reach a message bus that does not answer: about a minute's."""


class NoServiceUp(DispatchError):
    """No cinder-backup is up that could delete the backup; nothing was changed."""


class RequestLost(DispatchError):
    """Whether cinder-backup has got the request is not known."""


class DeletionService(Protocol):
    """Where backups are deleted."""

    def host_for(self, backup: Any, *, own_host_only: bool) -> str:
        """The host that shall delete the backup.

        :param own_host_only: the data may be on the host that has made the backup.
        :raises NoServiceUp: there is none.
        """

    def delete(self, backup: Any) -> None:
        """Ask for the deletion, and return at once; the record says ``deleting``, and the host.

        :raises RequestLost: the message bus does not take the request.
        """


class CinderBackup:
    """The cinder-backup services of this cloud, by the message bus."""

    @cached_property
    def _bus(self) -> Any:
        # It takes a part of a second to import, which other commands need not wait for.
        from cinder import rpc
        from cinder.backup import api  # registers backup_use_same_host

        if not rpc.initialized():
            rpc.init(CONF)
        asking = api.backup_rpcapi.BackupAPI()
        # By itself oslo.messaging tries for ever to reach the bus.
        asking.client.retry = BUS_ATTEMPTS
        return asking

    def host_for(self, backup: Any, *, own_host_only: bool) -> str:
        """The backup's own host if it is up, else any of its availability zone."""
        up = self._hosts_up(backup.availability_zone)
        if backup.host in up:
            return str(backup.host)
        own_host_only = own_host_only or bool(self._bus and CONF.backup_use_same_host)
        if backup.host and own_host_only:
            raise NoServiceUp(
                f"cinder-backup on {backup.host} is down, which alone may delete backup "
                f"{backup.id}. Start it there, then prune again."
            )
        if not up:
            raise NoServiceUp(
                f"No cinder-backup is up that could delete backup {backup.id}. Start one, then "
                "prune again."
            )
        return up[0]

    @staticmethod
    def _hosts_up(zone: str | None) -> list[str]:
        services = objects.ServiceList.get_all_by_topic(
            cinder_context.get_admin_context(), constants.BACKUP_TOPIC, disabled=False
        )
        in_zone = [one for one in services if not zone or one.availability_zone == zone]
        return [str(one.host) for one in in_zone if one.is_up]

    def delete(self, backup: Any) -> None:
        """Send the message that the API sends, on behalf of the backup's owner."""
        owner = cinder_context.RequestContext(
            user_id=backup.user_id, project_id=backup.project_id, is_admin=True, overwrite=False
        )
        try:
            self._bus.delete_backup(owner, backup)
        except Exception as error:
            raise RequestLost(
                f"It is not known whether cinder-backup on {backup.host} has got the request to "
                f"delete backup {backup.id}: {reason_of(error)}. See to the message bus, then "
                "prune again: it asks once more."
            ) from error
