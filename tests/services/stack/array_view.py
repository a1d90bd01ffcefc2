# SPDX-License-Identifier: Apache-2.0
"""What is on the Datera cluster, queried directly and not through Cinder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from demo.servers.cinder_conf import Array

API = "v2.2"


@dataclass(frozen=True)
class Instance:
    """An app instance: its path, whether it is online, and the initiators in its ACLs."""

    tenant: str
    name: str
    online: bool
    hosts: frozenset[str]


def instances(array: Array) -> list[Instance]:
    """Return the app instances of all tenants."""
    with _asking(array) as ask:
        # A tenant below another is listed separately, too.
        tenants = dict.fromkeys(["/root", *_below(ask("/tenants", "/root"))])
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


def initiators(array: Array, tenant: str) -> list[str]:
    """Return a tenant's own initiators."""
    with _asking(array) as ask:
        return sorted(one["id"] for one in ask("/initiators", tenant) if one["tenant"] == tenant)


@contextmanager
def _asking(array: Array) -> Iterator[Callable[[str, str], Any]]:
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

        yield ask


def _below(tenants: list[dict[str, Any]]) -> list[str]:
    found = []
    for tenant in tenants:
        path = tenant["path"].removeprefix("/tenants")
        if path != "/root":
            found.append(path)
        found.extend(_below(tenant.get("subtenants", [])))
    return found
