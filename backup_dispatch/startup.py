# SPDX-License-Identifier: Apache-2.0
"""What the service logs at its start: what prevents it from working, and what to correct."""

from __future__ import annotations

import _thread
from typing import Any

from cinder import context
from oslo_log import log as logging
from oslo_service import loopingcall

from backup_dispatch import backup_rows
from backup_dispatch.backends.configured import Backends, configured
from backup_dispatch.errors import ConfigurationInvalid
from backup_dispatch.examination import deployment
from backup_dispatch.examination.finding import State

LOG = logging.getLogger(__name__)


class CannotStart(ConfigurationInvalid, loopingcall.LoopingCallDone):
    """The service cannot work with its configuration, and the log says so.

    Cinder checks its driver in a looping call, which ends at any exception and logs a traceback of
    some thirty lines for each but this: the cause is not in our source. The service
    still counts as down, because Cinder considers it ready only once the check has returned.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.retvalue = False


def required(conf: Any) -> Backends:
    """The enabled backends, for the service's start.

    :raises CannotStart: the configuration is invalid; the reason is in the log.
    """
    try:
        return configured(conf)
    except ConfigurationInvalid as error:
        LOG.error("The backup service cannot work: %s", error.full_text)
        raise CannotStart(error.full_text) from None


def look_around(enabled: Backends, conf: Any) -> None:
    """Log the problems of the service as a whole, one line each; returns at once."""
    # In a thread of its own, like the backends' checks: the database may be slow or unreachable.
    _thread.start_new_thread(_look_around, (enabled, conf))


def _look_around(enabled: Backends, conf: Any) -> None:
    admin = context.get_admin_context()
    _forget_progress(admin, conf.host)
    try:
        found = [
            deployment.coordination(conf, admin, here=conf.host),
            *deployment.ownerless_records(admin, enabled),
        ]
    except Exception as error:
        LOG.debug("The service as a whole could not be looked at: %s", error)
        return
    for one in found:
        if one.state is not State.UP:
            LOG.warning("%s", one.text)


def _forget_progress(admin: Any, host: str) -> None:
    """Remove what a service that was killed on this host has left.

    Another process of this host that works at a backup sets it again.
    """
    try:
        if backup_rows.properties(admin, (backup_rows.PROGRESS,)):
            backup_rows.remove_property(admin, backup_rows.PROGRESS, host)
    except Exception as error:
        LOG.debug("Leftover progress could not be removed: %s", error)
