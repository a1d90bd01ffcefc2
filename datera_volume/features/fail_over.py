# SPDX-License-Identifier: Apache-2.0
"""Failover, which is refused: volumes are not replicated to another cluster.

Cinder's API refuses to fail over a backend that reports no replication. A request that still
arrives, from an older API for instance, must leave the backend as it is: another kind of error
would have Cinder disable the service, or every service of its cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from cinder import exception

from datera_volume.features.base import VolumeBackendBase


class FailOverFeature(VolumeBackendBase):
    """Refuses to fail over: there is no replication target."""

    def failover_host(
        self,
        context: Any,
        volumes: Sequence[Any],
        secondary_id: str | None = None,
        groups: Sequence[Any] | None = None,
    ) -> NoReturn:
        """Refuse, for a service that is not clustered.

        :raises InvalidReplicationTarget: always.
        """
        raise exception.InvalidReplicationTarget(
            reason=f"{self.settings.section} does not replicate its volumes to another cluster"
        )

    def failover(
        self,
        context: Any,
        volumes: Sequence[Any],
        secondary_id: str | None = None,
        groups: Sequence[Any] | None = None,
    ) -> NoReturn:
        """Refuse, for a clustered service.

        :raises InvalidReplicationTarget: always.
        """
        self.failover_host(context, volumes, secondary_id, groups)

    def failover_completed(self, context: Any, active_backend_id: str | None = None) -> None:
        """Do nothing: every service of a cluster continues with the only array."""
