# SPDX-License-Identifier: Apache-2.0
"""Requests to Cinder's API, as its administrator."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import requests

VERSION = "volume 3.60"
SECONDS = 150.0


class Refused(Exception):
    """The API answered with an error."""


class Requests:
    """One project's.

    :param url: of the API, without the version.
    """

    project = "a" * 32

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v3/{self.project}"
        self._headers = {
            "X-Auth-Token": f"admin:{self.project}",
            "OpenStack-API-Version": VERSION,
        }

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """Send one and return the answer.

        :raises Refused: it is an error.
        """
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method, f"{self._url}{path}", json=body, headers=self._headers, timeout=SECONDS
            )
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    def create_volume(self, name: str, zone: str) -> str:
        """Ask for a volume of one GiB; return its id."""
        wish = {"name": name, "size": 1, "availability_zone": zone}
        return str(self("POST", "/volumes", {"volume": wish})["volume"]["id"])

    def delete_volume(self, volume_id: str) -> None:
        """Ask for its deletion."""
        self("DELETE", f"/volumes/{volume_id}")

    def create_backup(
        self, volume_id: str, name: str, zone: str, *, incremental: bool = False
    ) -> str:
        """Ask for a backup; return its id."""
        wish = {
            "volume_id": volume_id,
            "name": name,
            "incremental": incremental,
            "availability_zone": zone,
        }
        return str(self("POST", "/backups", {"backup": wish})["backup"]["id"])

    def restore(self, backup_id: str, volume_id: str) -> None:
        """Ask for a restore onto a volume."""
        self("POST", f"/backups/{backup_id}/restore", {"restore": {"volume_id": volume_id}})

    def delete_backup(self, backup_id: str) -> None:
        """Ask for its deletion."""
        self("DELETE", f"/backups/{backup_id}")

    def reset_volume(self, volume_id: str) -> None:
        """Call it available."""
        self("POST", f"/volumes/{volume_id}/action", {"os-reset_status": {"status": "available"}})

    def attach(self, volume_id: str, host: str, initiator: str) -> str:
        """Attach a volume to a host, as for an instance; return the attachment's id."""
        connector = {
            "initiator": initiator,
            "host": host,
            "ip": "127.0.0.1",
            "mountpoint": "/dev/vdb",
        }
        wish = {"volume_uuid": volume_id, "connector": connector, "mode": "rw"}
        made = self("POST", "/attachments", {"attachment": wish})["attachment"]["id"]
        self("POST", f"/attachments/{made}/action", {"os-complete": {}})
        return str(made)

    def detach(self, attachment_id: str) -> None:
        """Delete an attachment."""
        self("DELETE", f"/attachments/{attachment_id}")

    def attachments(self, volume_id: str) -> list[str]:
        """The ids of a volume's attachments, whatever became of them."""
        found = self("GET", f"/attachments?volume_id={volume_id}")["attachments"]
        return [one["id"] for one in found]
