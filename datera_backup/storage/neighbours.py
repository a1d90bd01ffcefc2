# SPDX-License-Identifier: Apache-2.0
"""Warning about cinder-backup hosts that do not share locks."""

from __future__ import annotations

from typing import Any

from cinder import objects
from oslo_config import cfg
from oslo_log import log as logging

CONF = cfg.CONF
CONF.import_opt("backend_url", "cinder.coordination", group="coordination")
LOG = logging.getLogger(__name__)

BINARY = "cinder-backup"


class Warnings:
    """What this process has warned about already."""

    def __init__(self) -> None:
        self._said = False

    def of_uncoordinated_hosts(self, context: Any) -> None:
        """Log an error, once, if several hosts write backups and do not share locks."""
        url = str(CONF.coordination.backend_url)
        if self._said or not url.startswith("file:"):
            return
        services = objects.ServiceList.get_all(context.elevated(), {"binary": BINARY})
        hosts = sorted({service.host for service in services if service.is_up})
        if len(hosts) > 1:
            self._said = True
            LOG.error(
                "%s runs on %d hosts (%s), but [coordination] backend_url is %s, which coordinates "
                "the processes of one host only. Backups may be lost: name a service that all "
                "hosts share.",
                BINARY,
                len(hosts),
                ", ".join(hosts),
                url,
            )


WARNINGS = Warnings()
