# SPDX-License-Identifier: Apache-2.0
"""What the parts of a tenant share: a way to ask in that tenant, and patience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datera_volume.connection.reading import entity_in
from datera_volume.connection.waiting import Patience

if TYPE_CHECKING:  # at run time the SDK may be missing
    from datera_volume.connection.dialect import Dialect
    from datera_volume.connection.link import Link

Fields = Mapping[str, Any]

# Seconds that a cluster may take for what it does on its own after having accepted it.
SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class Asking:
    """One tenant's header on every request."""

    link: Link
    tenant: str
    patience: Patience
    busy_timeout: float | None = None
    """Seconds to go on asking a busy cluster, where they are not the operator's."""

    @property
    def dialect(self) -> Dialect:
        """How to speak to this cluster."""
        return self.link.dialect

    def get(self, path: str) -> Fields:
        """Read one object."""
        return entity_in(self._ask("GET", path))

    def all(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Read a whole collection."""
        return self.link.ask_all(
            path, tenant=self.tenant, params=params, busy_timeout=self.busy_timeout
        )

    def post(self, path: str, body: Fields) -> Fields:
        """Make something; a lost answer raises :class:`OutcomeUnknown`."""
        return entity_in(self._ask("POST", path, body))

    def put(self, path: str, body: Fields) -> Fields:
        """Change something, and return what the cluster says of it, if it does."""
        data = self._ask("PUT", path, body)
        return data if not isinstance(data.get("data"), dict) else entity_in(data)

    def delete(self, path: str, body: Fields | None = None) -> None:
        """Delete something."""
        self._ask("DELETE", path, body)

    def _ask(self, method: str, path: str, body: Fields | None = None) -> Fields:
        return self.link.ask(
            method, path, tenant=self.tenant, body=body, busy_timeout=self.busy_timeout
        )
