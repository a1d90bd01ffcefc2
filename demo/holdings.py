# SPDX-License-Identifier: Apache-2.0
"""What each backend actually stores, queried directly and not through Cinder."""

import json
import os
import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.cloud import Cloud

API = "v2.2"


class Holdings:
    """Queries the emulator, Swift and the posix driver's directory."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def names(self, backend: str) -> list[str]:
        """Return the names of all that a backend stores: app instances, objects or files."""
        look = {"datera": self._app_instances, "swift": self._objects, "posix": self._files}
        return look[backend]()

    def stored(self, backend: str) -> int:
        """Return the bytes of disk space that a backend uses."""
        places = {
            "datera": self._cloud.array_state / "data",
            "swift": self._cloud.swift_data,
            "posix": self._cloud.posix_backups,
        }
        return _disk_bytes(places[backend])

    def replicas(self, name_part: str) -> list[tuple[str, int]]:
        """Return the app instances with such a name, and the number of replicas of each."""
        return [
            (instance["name"], volume["replica_count"])
            for instance in self._on_array()
            if name_part in instance["name"]
            for storage in instance["storage_instances"]
            for volume in storage["volumes"]
        ]

    def _app_instances(self) -> list[str]:
        return sorted(instance["name"] for instance in self._on_array())

    def _on_array(self) -> list[dict[str, Any]]:
        array = self._cloud.array
        if array is None:
            return []
        trust = ssl.create_default_context(cafile=array.ca_bundle)
        base = f"https://{array.host}:{array.port}/{API}"
        login = {"name": array.username, "password": array.password}
        key = _ask(f"{base}/login", trust, method="PUT", body=login)["key"]
        found = _ask(f"{base}/app_instances", trust, headers={"Auth-Token": key})
        return list(found["data"])

    def _objects(self) -> list[str]:
        import swiftclient  # costly, and only needed here

        swift = self._cloud.swift
        connection = swiftclient.Connection(authurl=swift.auth_url, user=swift.user, key=swift.key)
        return sorted(
            f"{container['name']}/{entry['name']}"
            for container in connection.get_account(full_listing=True)[1]
            for entry in connection.get_container(container["name"], full_listing=True)[1]
        )

    def _files(self) -> list[str]:
        root = self._cloud.posix_backups
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def _ask(
    url: str,
    trust: ssl.SSLContext,
    *,
    method: str = "GET",
    body: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    request = urllib.request.Request(
        url,
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    with urllib.request.urlopen(request, context=trust, timeout=30) as answer:
        return json.load(answer)


def _disk_bytes(place: Path) -> int:
    total = 0
    for directory, _, files in os.walk(place):
        for name in files:
            try:
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
            except FileNotFoundError:  # removed since the directory was read
                continue
    return total
