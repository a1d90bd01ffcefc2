# SPDX-License-Identifier: Apache-2.0
"""Strict JSON of a response body.

A proxy may respond in place of the cluster. What Python's parser accepts but would fail later
(infinite numbers, lone surrogates, excessive nesting) is refused here.
"""

from __future__ import annotations

import json
import re
from typing import Any

# Real responses have a dozen levels at most.
DEEPEST = 64
# A capacity in bytes has not half as many digits.
LONGEST_NUMBER = 40

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Unreadable(ValueError):
    """Not JSON, or JSON that cannot be processed."""


def json_in(text: str) -> Any:
    """Return the parsed body.

    :raises Unreadable: it is not JSON; or it is nested too deeply, has a number that is not finite
        or has too many digits, or a string that cannot be encoded.
    """
    try:
        body = json.loads(
            text, parse_constant=_no_number, parse_float=_finite, parse_int=_short_enough
        )
        if _SURROGATE.search(text):
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise Unreadable(f"{type(exc).__name__}: no JSON that can be read") from exc
    if _depth_exceeds(body, DEEPEST):
        raise Unreadable(f"nested in more than {DEEPEST} levels")
    return body


def _depth_exceeds(body: Any, most: int) -> bool:
    level = [body] if isinstance(body, (dict, list)) else []
    for _level in range(most):
        if not level:
            return False
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [item for items in inner for item in items if isinstance(item, (dict, list))]
    return bool(level)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if abs(number) == float("inf"):
        raise ValueError(f"{text[:LONGEST_NUMBER]} is too large")
    return number


def _short_enough(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"{text[:LONGEST_NUMBER]}… has too many digits")
    return int(text)
