# SPDX-License-Identifier: Apache-2.0
"""The metadata of an app instance: a few keys and values of its clients."""

from __future__ import annotations

from collections.abc import Mapping

from datera_volume.connection.resources.adapter import TenantPart
from datera_volume.connection.resources.model import AppInstance
from datera_volume.connection.transport.paths import child

# Total of all keys and values; what the product accepts, as other clients found out.
MOST_CHARACTERS = 2048


class Metadata(TenantPart):
    """Metadata of the app instances of a tenant."""

    def update_metadata(self, ai: AppInstance, values: Mapping[str, str]) -> None:
        """Set these keys and leave the others; there is room for about 2,000 characters in all.

        :raises RequestRefused: there is no room for them.
        """
        if self._adapter.dialect.ecosystem_data:
            self._adapter.put(child(ai.path, "int_ecosystem_data"), {"data": dict(values)})
        else:
            self._adapter.put(child(ai.path, "metadata"), dict(values))

    def metadata(self, ai: AppInstance) -> dict[str, str]:
        """Return the metadata of an app instance; values are always strings."""
        name = "int_ecosystem_data" if self._adapter.dialect.ecosystem_data else "metadata"
        return {key: str(value) for key, value in self._adapter.get(child(ai.path, name)).items()}
