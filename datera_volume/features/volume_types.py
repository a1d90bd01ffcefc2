# SPDX-License-Identifier: Apache-2.0
"""The specs of volume types, read from Cinder's database."""

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
    """Reads types, with the section's defaults for what they do not set.

    :param defaults: specs that apply where a type does not set them.
    :param one_replica: create every volume with one replica.
    """

    defaults: Mapping[str, str]
    one_replica: bool = False

    def values(self, type_id: str | None) -> dict[str, str]:
        """Return the specs of a type, or the defaults for None."""
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
        """Return the policies for a new volume.

        :raises BadPolicy: its type has an invalid spec.
        """
        return policies_from(self.values(type_id), one_replica=self.one_replica)

    def limits(self, volume: Any) -> Limits | None:
        """Return a volume's QoS limits; None where its type has an invalid one."""
        values = self.values(volume.volume_type_id)
        for name in unknown_in(values):
            LOG.warning(
                "Volume %s: %s%s is not an extra spec of this driver", volume.id, SCOPE, name
            )
        try:
            return limits_in(values)
        except BadPolicy as exc:
            LOG.warning("The QoS limits of volume %s are left unchanged: %s", volume.id, exc)
            return None

    def round_robin(self, volume: Any) -> bool:
        """Whether to use a random portal; False where the spec is invalid."""
        try:
            return round_robin_in(self.values(volume.volume_type_id))
        except BadPolicy as exc:
            LOG.warning("Volume %s is attached through its first portal: %s", volume.id, exc)
            return False
