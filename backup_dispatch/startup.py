# SPDX-License-Identifier: Apache-2.0
"""How the service is told that it cannot work: once, in one line of its log."""

from __future__ import annotations

import logging
from typing import Any

from oslo_service import loopingcall

from backup_dispatch.backends.configured import Backends, configured
from backup_dispatch.errors import ConfigurationInvalid

LOG = logging.getLogger(__name__)


class CannotStart(ConfigurationInvalid, loopingcall.LoopingCallDone):
    """The service cannot work with its configuration, and the log says so.

    Cinder asks its driver in a looping call, which ends at any exception and writes a traceback of
    some thirty lines for each but this: there is nothing to be found in our source. The service
    counts as down all the same, for Cinder takes it as ready only once the driver has returned.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.retvalue = False


def required(conf: Any) -> Backends:
    """The enabled backends, for the service's start.

    :raises CannotStart: the configuration is invalid; why is in the log.
    """
    try:
        return configured(conf)
    except ConfigurationInvalid as error:
        LOG.error("The backup service cannot work: %s", error.full_text)
        raise CannotStart(error.full_text) from None
