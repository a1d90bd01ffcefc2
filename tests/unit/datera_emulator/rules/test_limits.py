# SPDX-License-Identifier: Apache-2.0
"""One more than a limit allows is refused, for each limit that there is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from datera_emulator.switches import Limits, Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

VOLUME = {"name": "volume-2", "size": 1}
USER = {"user_id": "alice", "full_name": "Alice Doe", "password": "correct_horse"}
INSTANCE = "INSTANCE"
STORAGE = "INSTANCE/storage_instances/storage-1"
SNAPSHOTS = f"{STORAGE}/volumes/volume-1/snapshots"

# The limit, lowered to what one instance with a snapshot has, and what then is one too many.
ONE_TOO_MANY: dict[str, tuple[int, str, dict[str, Any]]] = {
    "tenants": (1, "/tenants", {"name": "acme"}),
    "app_instances": (1, "/app_instances", {"name": "two"}),
    "storage_instances": (1, f"{INSTANCE}/storage_instances", {"name": "storage-2"}),
    "storage_instances_per_app_instance": (
        1,
        f"{INSTANCE}/storage_instances",
        {"name": "storage-2"},
    ),
    "volumes": (1, f"{STORAGE}/volumes", VOLUME),
    "volumes_per_storage_instance": (1, f"{STORAGE}/volumes", VOLUME),
    "snapshots": (1, SNAPSHOTS, {}),
    "snapshots_per_volume": (1, SNAPSHOTS, {}),
    "initiators": (0, "/initiators", {"id": "eui.0123456789ABCDEF", "name": "a host"}),
    "users": (1, "/users", USER),
}


def ask(api: Api, instance: Any, path: str, body: Any) -> tuple[int, Any]:
    return api.ask("POST", path.replace(INSTANCE, instance["path"]), body)


@pytest.mark.parametrize("limit", list(ONE_TOO_MANY))
def test_one_object_more_than_a_limit_is_refused(make_api: MakeApi, limit: str) -> None:
    most, path, body = ONE_TOO_MANY[limit]
    api = make_api(switches=Switches(limits=Limits(**{limit: most})))
    made = api.create()
    assert ask(api, made, SNAPSHOTS, {})[0] == 200
    status, answer = ask(api, made, path, body)
    assert (status, answer["name"]) == (400, "InvalidRequestError")
    api = make_api(switches=Switches(limits=Limits(**{limit: most + 1})))
    assert ask(api, made, path, body)[0] == 200


def test_every_limit_is_tried() -> None:
    # Metadata are bounded by their characters, which have a test of their own.
    limits = {field.name for field in dataclasses.fields(Limits)} - {"metadata_characters"}
    assert limits == ONE_TOO_MANY.keys()
