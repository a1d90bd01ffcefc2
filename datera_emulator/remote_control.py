# SPDX-License-Identifier: Apache-2.0
"""Client of the endpoint ``/emulator/…`` of an emulator in another process."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

from datera_emulator.documents import Document, Json
from datera_emulator.emulator import running_in

_TIMEOUT = 30.0


class NotRunning(Exception):
    """No emulator runs at the given place."""


class Refused(Exception):
    """The emulator refused the request, and says why."""


class RemoteControl:
    """Controls one emulator, over plain HTTP and never through a proxy."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    @classmethod
    def of_state(cls, state_dir: Path) -> RemoteControl:
        """Return the control of the emulator that runs on a state directory.

        :raises NotRunning: none does.
        """
        where = running_in(state_dir)
        if where is None:
            raise NotRunning(f"no emulator runs on {state_dir}; start one with 'serve'")
        host = "127.0.0.1" if where["host"] in ("0.0.0.0", "") else where["host"]  # noqa: S104
        return cls(host, where["http_port"])

    def ask(self, method: str, path: str, body: Json = None) -> Document:
        """Return what the emulator answers.

        :param path: below ``/emulator/``.
        :raises NotRunning: the emulator does not answer.
        :raises Refused: it refuses the request.
        """
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT)
        payload = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, f"/emulator/{path}", payload, headers)
            response = connection.getresponse()
            document: Document = json.loads(response.read())
        except (OSError, http.client.HTTPException) as exc:
            raise NotRunning(f"no emulator answers at {self._host}:{self._port}: {exc}") from exc
        except ValueError as exc:
            raise Refused(f"{self._host}:{self._port} is no emulator") from exc
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise Refused(document.get("message", f"status {response.status}"))
        return document
