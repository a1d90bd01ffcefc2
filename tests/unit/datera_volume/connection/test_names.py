# SPDX-License-Identifier: Apache-2.0
"""Names that this side lets through are names that a cluster accepts, and the reverse."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from datera_volume.connection.names import is_name, is_name_or_uuid
from tests.fixtures.datera.array_schema import ABSENT, PRESENT, SCHEMA

NAMES = ("cinder", "_ab", "x" * 64, "A.b-c_9")
UUIDS = ("6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a",)
NO_NAMES = (
    "",
    "ab",
    "x" * 65,
    "0cinder",
    "-ab",
    "..",
    "a b",
    "a/bc",
    "\u00fcber",
    "lab\u0663",
    "ab@",
)


@pytest.mark.parametrize("text", NAMES)
def test_a_valid_name_is_accepted(text: str) -> None:
    assert is_name(text)
    assert is_name_or_uuid(text)


@pytest.mark.parametrize("text", [*NO_NAMES, "abc\n"])
def test_any_other_text_is_no_name(text: str) -> None:
    assert not is_name(text)
    assert not is_name_or_uuid(text)


@pytest.mark.skipif(not PRESENT, reason=ABSENT)
@pytest.mark.parametrize("text", [*NAMES, *UUIDS, *NO_NAMES])
def test_the_rule_is_that_of_the_arrays_own_schema(text: str) -> None:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text())
    tenant = schema["/tenants"]["create"]["bodyParamSchema"]["properties"]["name"]
    auth = schema["/app_instances/:id/storage_instances/:storage_instance_name/auth"]["update"]
    user = auth["bodyParamSchema"]["properties"]["target_user_name"]
    assert is_name_or_uuid(text) == bool(re.search(tenant["pattern"], text))
    assert is_name(text) == bool(re.search(user["pattern"], text))
