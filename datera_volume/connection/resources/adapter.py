# SPDX-License-Identifier: Apache-2.0
"""What the parts of a tenant share: requests in that tenant, and polling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datera_volume.connection.polling import Poller
from datera_volume.connection.resources.parsing import entity_in

if TYPE_CHECKING:  # at run time the SDK may be missing
    from datera_volume.connection.dialect import Dialect
    from datera_volume.connection.transport.session import ClusterSession

Fields = Mapping[str, Any]

# Seconds within which a change that the cluster accepted must have taken effect.
SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class TenantAdapter:
    """Sends requests in one tenant."""

    session: ClusterSession
    tenant: str
    poller: Poller
    busy_timeout: float | None = None
    """Seconds to retry a busy cluster; None: as configured."""

    @property
    def dialect(self) -> Dialect:
        """The dialect of this cluster."""
        return self.session.dialect

    def get(self, path: str) -> Fields:
        """Read one object."""
        return entity_in(self._request("GET", path))

    def some(self, path: str, **params: Any) -> Fields:
        """Read part of a collection: the whole response, ``data`` and ``metadata``."""
        return self.session.request(
            "GET", path, tenant=self.tenant, params=params, busy_timeout=self.busy_timeout
        )

    def all(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Read a whole collection."""
        return self.session.request_all(
            path, tenant=self.tenant, params=params, busy_timeout=self.busy_timeout
        )

    def post(self, path: str, body: Fields) -> Fields:
        """Create an object; a lost response raises :class:`OutcomeUnknown`."""
        return entity_in(self._request("POST", path, body))

    def put(self, path: str, body: Fields) -> Fields:
        """Update an object, and return it as the response shows it, if it does."""
        data = self._request("PUT", path, body)
        return data if not isinstance(data.get("data"), dict) else entity_in(data)

    def delete(self, path: str, body: Fields | None = None) -> None:
        """Delete an object."""
        self._request("DELETE", path, body)

    def _request(self, method: str, path: str, body: Fields | None = None) -> Fields:
        return self.session.request(
            method, path, tenant=self.tenant, body=body, busy_timeout=self.busy_timeout
        )


class TenantPart:
    """What can be done with one kind of resource in a tenant.

    Every method may also raise the errors of the connection: :class:`ClusterUnreachable`,
    :class:`ClusterBusy`, :class:`CertificateRefused`, :class:`LoginRefused`,
    :class:`PermissionRefused`, :class:`OutcomeUnknown`, :class:`ClusterFault`,
    :class:`UnexpectedAnswer`.
    """

    def __init__(self, adapter: TenantAdapter) -> None:
        self._adapter = adapter
