# SPDX-License-Identifier: Apache-2.0
"""One request with the headers that a cluster wants, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datera_volume.connection.answers import Answer, error_of
from datera_volume.connection.errors import UnexpectedAnswer
from datera_volume.connection.masking import Masker
from datera_volume.connection.settings import ClusterSettings
from datera_volume.connection.wire import Wire

JSON = "application/json; charset=utf-8"
Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Exchange:
    """Knows headers and errors; nothing of when to log in or to try again.

    :param client: what the cluster's logs shall call this client.
    """

    settings: ClusterSettings
    masker: Masker
    wire: Wire
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
    ) -> Answer:
        """Send one request and return its answer, whatever its status.

        :param target: escaped, with the version where there is one.
        """
        headers = {"Content-Type": JSON, "Datera-Driver": self.client}
        if tenant is not None:
            headers["tenant"] = tenant
        if key is not None:
            headers["Auth-Token"] = key
        return self.wire.send(
            method, target, headers=headers, params=params, body=body, loggable=loggable
        )

    def checked(self, method: str, target: str, answer: Answer) -> Fields:
        """Return what a successful answer carries.

        :raises DateraError: it is not successful, as :func:`error_of` says.
        :raises UnexpectedAnswer: it carries no object.
        """
        asked = f"{method} {target} at {self.settings.address}"
        if not answer.ok:
            raise error_of(answer, asked, answer.reason_told(self.masker))
        if isinstance(answer.body, dict):
            return answer.body
        if method == "DELETE" and not answer.text.strip():
            return {}
        raise UnexpectedAnswer(
            f"{asked}: {answer.status} with a body that is no JSON object: "
            f"{self.masker.text(answer.text)[:80]!r}"
        )
