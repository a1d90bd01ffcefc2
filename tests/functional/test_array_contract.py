# SPDX-License-Identifier: Apache-2.0
"""What the suite sends in API 2.1 is watched, and a real array's schema has its say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.datera.array_schema import ABSENT, PRESENT, ArraySchema
from tests.fixtures.datera.emulated_client import Client

pytestmark = pytest.mark.skipif(
    not PRESENT, reason=f"no request is held against an array's own schema: {ABSENT}"
)

VOLUME = {"name": "volume-1", "size": 1}
STORAGE = {"name": "storage-1", "volumes": [VOLUME]}


@pytest.fixture
def schema() -> ArraySchema:
    return ArraySchema.recorded()


@pytest.mark.parametrize(
    ("method", "path", "parameters", "body"),
    [
        ("PUT", "/login", {}, {"name": "admin", "password": "password", "remote_server": "ldap"}),
        ("GET", "/app_instances", {"filter": "match(name,OS-.*)", "limit": "7"}, None),
        ("POST", "/app_instances", {}, {"name": "one", "storage_instances": [STORAGE]}),
        ("DELETE", "/app_instances/one", {}, {"force": True}),
        ("GET", "/tenants/root/a/b", {}, None),
    ],
)
def test_what_the_array_takes_is_taken(
    schema: ArraySchema, method: str, path: str, parameters: Any, body: Any
) -> None:
    assert schema.objections(method, path, parameters, body) == []


def no_size() -> dict[str, Any]:
    return {"name": "one", "storage_instances": [{**STORAGE, "volumes": [{**VOLUME, "size": 0}]}]}


@pytest.mark.parametrize(
    ("request_line", "parameters", "body", "why"),
    [
        ("GET /placement_policies", {}, None, "no path"),
        ("DELETE /system", {}, None, "no DELETE"),
        ("GET /app_instances", {"offset": "100"}, None, "additionalProperties"),
        ("GET /app_instances", {"limit": "1001"}, None, "maximum"),
        ("POST /app_instances", {}, {"name": "one", "template_override": {}}, "additional"),
        ("PUT /app_instances/one", {}, {"admin_state": "asleep"}, "enum"),
        ("POST /initiators", {}, {"id": "iqn", "name": "a host"}, "id: pattern"),
        ("POST /app_instances", {}, {"storage_instances": []}, "required"),
        ("POST /app_instances", {}, no_size(), "minimum"),
    ],
)
def test_what_the_array_refuses_is_told(
    schema: ArraySchema, request_line: str, parameters: Any, body: Any, why: str
) -> None:
    method, path = request_line.split()
    (objection,) = schema.objections(method, path, parameters, body)
    assert why in objection


def test_requests_are_watched_and_what_the_emulator_refuses_too_is_let_pass(
    tmp_path: Path, contract: Any
) -> None:
    with Emulator(tmp_path / "array") as emulator:
        base = f"https://127.0.0.1:{emulator.https_port}"
        client = Client(base, verify=emulator.ca_bundle, version="v2.1").log_in()
        assert client.ask("POST", "/app_instances", {"nonsense": 1}).status_code == 422
        assert contract.looked_at == 1
        assert contract.broken == []
        emulator.faults.drop()
        with pytest.raises(OSError, match="Connection"):
            client.ask("POST", "/app_instances", {"nonsense": 1})
        assert "POST /app_instances: body: additionalProperties False" in contract.broken
        contract.broken.clear()
