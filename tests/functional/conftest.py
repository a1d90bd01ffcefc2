# SPDX-License-Identifier: Apache-2.0
"""The version of the API that the suite speaks, and a real array's word on what it sends.

``DATERA_API_VERSION`` chooses the version for both drivers; 2.2 is their own default. Where
``DATERA_RECORDED`` names recordings of an array, a test fails whose requests that array's schema
would not have taken: see ``docs/development.md``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from tests.fixtures.datera.api_version import make_default
from tests.fixtures.datera.array_schema import PRESENT, VERSION, ArraySchema

make_default()

# What the emulator refuses as the array would: no such path, no such object, no such value.
REFUSED = (400, 404, 405, 422)


@cache
def array_schema() -> ArraySchema:
    return ArraySchema.recorded()


class Contract:
    """Looks at each request of the array's version that an emulator in this process answers."""

    def __init__(self, schema: ArraySchema) -> None:
        self._schema = schema
        self._lock = threading.Lock()
        self.looked_at = 0
        self.broken: list[str] = []

    def around(self, handle: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Return the emulator's way of answering, with this beside it."""

        def watched(application: Any, request: Any) -> Any:
            answer = handle(application, request)
            # Only bodies that the emulator lets through, or would have: a test may well send what
            # it expects to be refused.
            if answer is None or answer.status not in REFUSED:
                self.look(request)
            return answer

        return watched

    def look(self, request: Any) -> None:
        """Remember what the array would say to this request."""
        prefix, _, rest = request.path.lstrip("/").partition("/")
        if prefix != VERSION:
            return
        body = json.loads(request.body) if request.body else None
        found = self._schema.objections(
            request.method, f"/{rest}".rstrip("/"), request.parameters, body
        )
        with self._lock:
            self.looked_at += 1
            self.broken += [f"{request.method} /{rest}: {objection}" for objection in found]


@pytest.fixture(autouse=True)
def contract(monkeypatch: pytest.MonkeyPatch) -> Iterator[Contract | None]:
    """Fail the test whose requests a real array would refuse, where its schema is at hand."""
    if not PRESENT:
        yield None
        return
    from datera_emulator.application import Application

    contract = Contract(array_schema())
    monkeypatch.setattr(Application, "handle", contract.around(Application.handle))
    yield contract
    assert not contract.broken, "an array's own schema refuses: " + "; ".join(
        dict.fromkeys(contract.broken)
    )
