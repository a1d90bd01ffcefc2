# SPDX-License-Identifier: Apache-2.0
"""Keeping secrets out of whatever is logged or raised."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

MASK = "***"

# The names under which the API carries secrets: logins, CHAP, object storage, remote providers.
SECRET_KEYS = frozenset(
    {
        "auth-token",
        "access_key",
        "initiator_pswd",
        "key",
        "keys",
        "new_password",
        "old_password",
        "password",
        "passwd",
        "pswd",
        "secret",
        "secret_key",
        "target_pswd",
        "token",
    }
)

# Sessions end after a quarter of an hour: so many keys back, one may still stand in an answer.
REMEMBERED = 64


def masked_data(value: Any) -> Any:
    """Return a copy of a JSON value in which whatever has a secret's name is masked."""
    if isinstance(value, dict):
        return {
            key: MASK if str(key).lower() in SECRET_KEYS else masked_data(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked_data(item) for item in value]
    return value


def secrets_in(value: Any) -> Iterator[str]:
    """Yield every text that stands under a secret's name in a JSON value."""
    if isinstance(value, dict):
        for key, item in value.items():
            if str(key).lower() not in SECRET_KEYS:
                yield from secrets_in(item)
            elif isinstance(item, str):
                yield item
    elif isinstance(value, list):
        for item in value:
            yield from secrets_in(item)


class Masker:
    """Remembers the secrets of one cluster and takes them out of texts."""

    def __init__(self, *secrets: str) -> None:
        self._lock = threading.Lock()
        self._lasting = [form for secret in secrets for form in _forms(secret)]
        self._passing: deque[str] = deque(maxlen=REMEMBERED)

    def learn(self, *secrets: str) -> None:
        """Remember further secrets: a session's key, a CHAP secret."""
        with self._lock:
            for secret in secrets:
                for form in _forms(secret):
                    if form not in self._passing and form not in self._lasting:
                        self._passing.append(form)

    def text(self, value: object) -> str:
        """Return the value as one text without any of the secrets."""
        text = str(value)
        with self._lock:
            forms = sorted([*self._lasting, *self._passing], key=len, reverse=True)
        for form in forms:
            text = text.replace(form, MASK)
        return text

    def body(self, value: Any, most: int = 4096) -> str:
        """Return a JSON value as a text to log: masked by name and by value, cut to ``most``."""
        if value is None:
            return "-"
        text = self.text(json.dumps(masked_data(value), default=str, sort_keys=True))
        return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def _forms(secret: str) -> list[str]:
    """How a secret may stand in a text: as it is, inside JSON, inside a URL."""
    return list(dict.fromkeys(f for f in (secret, json.dumps(secret)[1:-1], quote(secret)) if f))
