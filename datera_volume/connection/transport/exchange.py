# SPDX-License-Identifier: Apache-2.0
"""One request with the cluster's headers, and its response checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datera_volume.connection.errors import UnexpectedAnswer
from datera_volume.connection.settings import ClusterSettings
from datera_volume.connection.transport.http import HttpTransport
from datera_volume.connection.transport.masking import Masker
from datera_volume.connection.transport.responses import HttpResponse, error_of

JSON = "application/json; charset=utf-8"
Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Exchange:
    """Knows headers and errors, but neither logins nor retries.

    :param client: name of this client in the cluster's logs.
    """

    settings: ClusterSettings
    masker: Masker
    http: HttpTransport
    client: str

    def send(
        self,
        method: str,
        target: str,
        *,
        key: str | None = None,
        tenant: str | None = None,
        body: Fields | None = None,
        params: Fields | None = None,
        loggable: bool = True,
    ) -> HttpResponse:
        """Send one request and return its response, whatever its status.

        :param target: escaped, with the version where there is one.
        """
        headers = {"Content-Type": JSON, "Datera-Driver": self.client}
        if tenant is not None:
            headers["tenant"] = tenant
        if key is not None:
            headers["Auth-Token"] = key
        return self.http.send(
            method, target, headers=headers, params=params, body=body, loggable=loggable
        )

    def checked(self, method: str, target: str, response: HttpResponse) -> Fields:
        """Return the object of a successful response.

        :raises DateraError: it is not successful, see :func:`error_of`.
        :raises UnexpectedAnswer: it contains no object.
        """
        asked = f"{method} {target} at {self.settings.address}"
        if not response.ok:
            raise error_of(response, asked, response.error_message(self.masker))
        if isinstance(response.body, dict):
            return response.body
        if method == "DELETE" and not response.text.strip():
            return {}
        raise UnexpectedAnswer(
            f"{asked}: {response.status} with a body that is not a valid JSON object: "
            f"{self.masker.text(response.text)[:80]!r}"
        )
