# SPDX-License-Identifier: Apache-2.0
"""Our compact schemas ask for no more and no less than an array's own, for what both have.

The array's schema lies beside the directory that ``DATERA_RECORDED`` names, as ``schema21.json``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.emulated_client import Client

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


def test_bodies(emulator: Emulator, client: Client) -> None:
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
