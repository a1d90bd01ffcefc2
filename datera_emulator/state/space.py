# SPDX-License-Identifier: Apache-2.0
"""How much space the volumes take: cached sums, because stat of ten thousand files is slow.

A data file changes when this process changes its volume, or while a host has a session with the
target: only those volumes are measured again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datera_emulator.state.files import DataFiles
from datera_emulator.state.index import Index
from datera_emulator.state.model import AppInstance
from datera_emulator.state.sessions import Sessions


@dataclass(frozen=True)
class Space:
    """Bytes, as :meth:`.SpaceInUse.measured` counts them."""

    provisioned: int = 0
    used: int = 0


class SpaceInUse:
    """The sum over all app instances. One caller at a time: the cluster's lock is enough.

    :param counts_replicas: whether a volume's size is provisioned once for each replica.
    """

    def __init__(
        self,
        app_instances: Mapping[str, AppInstance],
        files: DataFiles,
        index: Index,
        sessions: Sessions,
        *,
        counts_replicas: bool,
    ) -> None:
        self._app_instances = app_instances
        self._files = files
        self._index = index
        self._sessions = sessions
        self._counts_replicas = counts_replicas
        self._of: dict[str, Space] = {}
        self._provisioned = self._used = 0

    def total(self) -> Space:
        """Return the sum as it is now.

        :raises OSError: a data file cannot be looked at.
        """
        stale = self._index.changed
        behind = (self._index.behind(iqn) for iqn in self._sessions.take_written())
        stale.update(where[0] for where in behind if where is not None)
        for identity in list(stale):
            instance = self._app_instances.get(identity)
            now = Space() if instance is None else self.measured(instance)
            before = self._of.pop(identity, Space())
            if instance is not None:
                self._of[identity] = now
            self._provisioned += now.provisioned - before.provisioned
            self._used += now.used - before.used
            stale.discard(identity)
        return Space(self._provisioned, self._used)

    def measured(self, instance: AppInstance) -> Space:
        """Return the space of one app instance's volumes; a byte in use counts for each replica.

        :raises OSError: a data file cannot be looked at.
        """
        provisioned = used = 0
        for _, volume in instance.volumes():
            copies = volume.replica_count if self._counts_replicas else 1
            provisioned += volume.size_bytes * copies
            used += self._files.used(volume.file) * volume.replica_count
        return Space(provisioned, used)
