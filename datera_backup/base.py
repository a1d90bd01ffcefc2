# SPDX-License-Identifier: Apache-2.0
"""What all parts of the driver share: its options and its cluster."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from oslo_config import cfg
from oslo_log import log as logging

from datera_backup.cinder_record import Location
from datera_backup.container import Container
from datera_backup.error_mapping import translated
from datera_backup.opts import OPTS
from datera_backup.settings import BackupSettings, read_settings
from datera_backup.storage import containers
from datera_backup.storage.backend import DateraBackend, backend_for
from datera_volume.connection import tracing

CONF = cfg.CONF
CONF.register_opts(OPTS)
LOG = logging.getLogger(__name__)

Method = TypeVar("Method", bound=Callable[..., Any])


def traced(method: Method) -> Method:
    """Mark what each call logs, and log how long it took, as the options say."""

    @functools.wraps(method)
    def call(self: DriverBase, backup: Any, *args: Any, **kwargs: Any) -> Any:
        what = f"{method.__name__} of backup {backup.id}"
        with tracing.call(what, LOG, level=self.settings.timing_level) as trace:
            self.trace = trace
            if self.settings.debug:
                LOG.debug("[%s] %s begins", trace.id, what)
            return method(self, backup, *args, **kwargs)

    return cast("Method", call)


class DriverBase:
    """What the driver's methods use of it; no Cinder class, so that mypy checks what is below.

    :ivar context: Cinder's request context.
    :ivar configuration: where options are read from.
    :ivar trace: the operation under way, or else the last one.
    """

    context: Any
    configuration: Any
    trace: tracing.Trace | None = None

    @functools.cached_property
    def settings(self) -> BackupSettings:
        """The options, checked.

        :raises OptionsInvalid: some are missing or cannot be used.
        """
        return read_settings(self.configuration)

    @functools.cached_property
    def backend(self) -> DateraBackend:
        """The cluster, which this process has one session with."""
        return backend_for(self.settings)

    @property
    def class_path(self) -> str:
        """What ``backup_driver`` says to mean this driver."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def clear_leftovers(self) -> None:
        """Close what was left open on this host; what goes wrong is logged.

        :raises ClusterFailed: the Datera SDK is not installed.
        """
        with translated(f"Datera cluster {self.settings.cluster.address}"):
            self.backend.clear_leftovers()

    def opened(self, location: Location) -> AbstractContextManager[Container]:
        """Attach the container that a record names, and open it."""
        attachments = self.backend.attachments_in(location.tenant)
        return containers.opened(attachments, location.container)
