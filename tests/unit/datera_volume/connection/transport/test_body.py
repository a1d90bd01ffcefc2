# SPDX-License-Identifier: Apache-2.0
"""Bodies that a parser accepts and that others would trip over are no answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from datera_volume.connection import RequestRefused, UnexpectedAnswer
from datera_volume.connection.transport.body import DEEPEST, LONGEST_NUMBER, Unreadable, json_in
from datera_volume.connection.transport.session import ClusterSession

TRAPS = {
    "brackets without an end": '{"data": ' + "[" * 100_000,
    "100,000 nested brackets": '{"data": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "nested deeper than anything real": '{"data": ' + "[" * 900 + "]" * 900 + "}",
    "nested objects": '{"data": ' + '{"a":' * 900 + "1" + "}" * 900 + "}",
    "a lone surrogate": '{"data": {"name": "\\ud800"}}',
    "a lone surrogate as a key": '{"data": {"\\uDC00": 1}}',
    "not a number": '{"data": {"size": NaN}}',
    "infinity": '{"data": {"size": Infinity}}',
    "more than a float can say": '{"data": {"size": 1e999}}',
    "a number of 5,000 digits": '{"data": {"size": ' + "1" * 5000 + "}}",
    "a number of 400 digits": '{"data": {"size": ' + "1" * 400 + "}}",
}


@pytest.mark.parametrize("text", TRAPS.values(), ids=TRAPS)
def test_a_body_that_cannot_be_worked_with_is_told(text: str) -> None:
    with pytest.raises(Unreadable):
        json_in(text)


@pytest.mark.parametrize(
    "value",
    [
        {"data": [{"a": {"b": [1, 2.5, -3, True, None, "\u00fc"]}}]},
        "text",
        [],
        12,
        None,
        "\U0001f600",
        "[" * 1000,
        10**LONGEST_NUMBER // 10,
    ],
)
def test_any_other_body_is_parsed_as_json(value: Any) -> None:
    assert json_in(json.dumps(value)) == value


def test_nesting_is_read_up_to_the_limit() -> None:
    deep = "[" * DEEPEST + "]" * DEEPEST
    assert json_in(deep) is not None
    with pytest.raises(Unreadable, match="nested"):
        json_in(f"[{deep}]")


@pytest.mark.parametrize("text", TRAPS.values(), ids=TRAPS)
def test_an_unreadable_body_is_a_typed_error_with_debug_logging_too(
    make_session: Callable[..., ClusterSession],
    scripted: Any,
    caplog: pytest.LogCaptureFixture,
    text: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    session = make_session()
    session.login()
    kinds: dict[int, type[Exception]] = {200: UnexpectedAnswer, 400: RequestRefused}
    for status, kind in kinds.items():
        scripted.script = lambda _seen, status=status: (status, text.encode())
        with pytest.raises(kind) as told:
            session.request("GET", "/app_instances/one")
        assert len(str(told.value)) < 500
        str(told.value).encode()
