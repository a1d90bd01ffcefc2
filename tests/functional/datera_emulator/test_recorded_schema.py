# SPDX-License-Identifier: Apache-2.0
"""Our compact schemas ask for no more and no less than an array's own, for what both have.

The array's schema lies beside the directory that ``DATERA_RECORDED`` names, as ``schema21.json``.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from datera_emulator.api.unserved import is_unserved
from tests.fixtures.datera.emulated_client import Client

DIRECTORY = os.environ.get("DATERA_RECORDED", "")
SCHEMA = Path(DIRECTORY).parent / "schema21.json"

pytestmark = pytest.mark.skipif(
    not DIRECTORY or not SCHEMA.is_file(),
    reason="there is no schema21.json beside the directory that DATERA_RECORDED names",
)

BOUNDS = ("enum", "minimum", "maximum", "minLength", "maxLength", "required")


def differences(ours: Any, theirs: Any, path: str) -> list[str]:
    """Return where two schemas differ in what they let through."""
    found = []
    for bound in BOUNDS:
        one, other = ours.get(bound), theirs.get(bound)
        if (one or []) != (other or []) and other is not None:
            found.append(f"{path} {bound}: {one} instead of {other}")
    is_object = ours.get("type") == "object"  # of lists, where it means nothing, they say it too
    if is_object and ours.get("additionalProperties", True) != theirs.get(
        "additionalProperties", True
    ):
        found.append(f"{path}: unknown keys")
    own, their = ours.get("properties", {}), theirs.get("properties", {})
    found += [f"{path}/{key}: too much" for key in own.keys() - their.keys()]
    found += [f"{path}/{key}: missing" for key in their.keys() - own.keys()]
    for key in own.keys() & their.keys():
        found += differences(own[key], their[key], f"{path}/{key}")
    if isinstance(ours.get("items"), dict) and isinstance(theirs.get("items"), dict):
        found += differences(ours["items"], theirs["items"], f"{path}[]")
    return found


def test_bodies_are_validated_as_by_the_recorded_schema(emulator: Emulator, client: Client) -> None:
    client.version = "v2.1"
    theirs = json.loads(SCHEMA.read_text())
    ours = client.good("GET", "/api")
    found = []
    for template, verbs in ours.items():
        if not isinstance(verbs, dict):
            continue
        for verb in verbs.keys() & {"create", "update", "delete"}:
            their = (theirs.get(template) or {}).get(verb, {}).get("bodyParamSchema")
            if their is not None:
                own = verbs[verb]["bodyParamSchema"]
                found += differences(own, their, f"{verb} {template}")
    # The array's schema lacks it, and clients send it all the same.
    assert found == ["update /login/remote_server: too much"]


def test_every_path_of_an_array_is_served_or_named_as_missing(client: Client) -> None:
    client.version = "v2.1"
    served = {place_of(template) for template in client.good("GET", "/api")}
    missing = [
        template
        for template, verbs in json.loads(SCHEMA.read_text()).items()
        if isinstance(verbs, dict) and place_of(template) not in served
    ]
    assert "/time" in missing
    assert [one for one in missing if not is_unserved(place_of(one))] == []


def place_of(template: str) -> str:
    return re.sub(r":\w+", ":", template.partition("(")[0])


def test_endpoints_are_grouped_as_in_the_recorded_schema(client: Client) -> None:
    client.version = "v2.1"
    theirs = json.loads(SCHEMA.read_text())
    found = {}
    for template, verbs in client.good("GET", "/api").items():
        for verb, one in verbs.items() if isinstance(verbs, dict) else ():
            their = (theirs.get(template) or {}).get(verb, {})
            if "group" in their and one["group"] != their["group"]:
                found[verb, template] = (one["group"], their["group"])
    assert found == {}
