# SPDX-License-Identifier: Apache-2.0
"""What a volume's type says, read from Cinder's database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cinder.volume import volume_types
from oslo_log import log as logging

from datera_volume.policies import (
    SCOPE,
    BadPolicy,
    Limits,
    Policies,
    limits_in,
    policies_from,
    round_robin_in,
    unknown_in,
    values_of_type,
)

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TypeSpecs:
    """Reads types with the section's defaults beneath them.

    :param defaults: policies by name that apply where a type says nothing.
    :param one_replica: keep one replica, whatever else is said.
    """

    defaults: Mapping[str, str]
    one_replica: bool = False

    def values(self, type_id: str | None) -> dict[str, str]:
        """Return what a type says, by name; of no type, the defaults."""
        if not type_id:
            return dict(self.defaults)
        qos = volume_types.get_volume_type_qos_specs(type_id)["qos_specs"] or {}
        for_backend = qos.get("consumer") in ("back-end", "both")
        return values_of_type(
            volume_types.get_volume_type_extra_specs(type_id),
            qos.get("specs", {}) if for_backend else {},
            self.defaults,
        )

    def policies(self, type_id: str | None) -> Policies:
        """What a volume that is made must be like.

        :raises BadPolicy: its type says something that cannot be read.
        """
        return policies_from(self.values(type_id), one_replica=self.one_replica)

    def limits(self, volume: Any) -> Limits | None:
        """A volume's limits; None where its type does not say them so that they can be read."""
        values = self.values(volume.volume_type_id)
        for name in unknown_in(values):
            LOG.warning("Volume %s: %s%s is not a setting of this driver", volume.id, SCOPE, name)
        try:
            return limits_in(values)
        except BadPolicy as exc:
            LOG.warning("The limits of volume %s stay as they are: %s", volume.id, exc)
            return None

    def round_robin(self, volume: Any) -> bool:
        """Whether a volume is attached by a portal at random; not where that cannot be read."""
        try:
            return round_robin_in(self.values(volume.volume_type_id))
        except BadPolicy as exc:
            LOG.warning("Volume %s is attached by its first portal: %s", volume.id, exc)
            return False
