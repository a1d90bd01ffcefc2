# SPDX-License-Identifier: Apache-2.0
"""What is on the Datera cluster, asked of the cluster itself and not of Cinder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from demo.cinder_conf import Array

API = "v2.2"


@dataclass(frozen=True)
class Instance:
    """An app instance: where it is, whether it is on, and the hosts that its ACLs let in."""

    tenant: str
    name: str
    online: bool
    hosts: frozenset[str]


def instances(array: Array) -> list[Instance]:
    """Return the app instances of all tenants."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = array.ca_bundle
        base = f"https://{array.host}:{array.port}/{API}"
        login = {"name": array.username, "password": array.password}
        key = session.put(f"{base}/login", json=login, timeout=30).json()["key"]

        def ask(path: str, tenant: str) -> Any:
            headers = {"Auth-Token": key, "tenant": tenant}
            answer = session.get(f"{base}{path}", headers=headers, timeout=30)
            answer.raise_for_status()
            return answer.json()["data"]

        tenants = ["/root", *_below(ask("/tenants", "/root"))]
        return [
            Instance(
                tenant,
                found["name"],
                found["admin_state"] == "online",
                frozenset(
                    host["path"].rpartition("/")[2]
                    for storage in found["storage_instances"]
                    for host in storage["acl_policy"]["initiators"]
                ),
            )
            for tenant in tenants
            for found in ask("/app_instances", tenant)
        ]


def _below(tenants: list[dict[str, Any]]) -> list[str]:
    found = []
    for tenant in tenants:
        path = tenant["path"].removeprefix("/tenants")
        if path != "/root":
            found.append(path)
        found.extend(_below(tenant.get("subtenants", [])))
    return found
